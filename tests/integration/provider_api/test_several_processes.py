"""Three API processes on one database: every nonce is accepted once, every start is one job."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from eth_account import Account

from ocean.signing import sign, start_message
from tests.support import provider_facts as facts
from tests.support.postgres import Postgres
from tests.support.provider_neighbours import CONSUMER_KEY, FREE, transaction
from tests.support.replica import clients, replicas
from tests.support.tokens import create, expiration

pytestmark = pytest.mark.integration

ACCOUNTS = [f"0x{number:064x}" for number in range(1, 11)]
SHUFFLER, TOKEN_MAKER = f"0x{11:064x}", f"0x{12:064x}"
ROUNDS, COPIES = 25, 3
END = expiration()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def addresses(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The processes, on each kind of database in turn. They and the database are shared by the tests."""
    folder = tmp_path_factory.mktemp("replicas")
    url = f"sqlite:///{folder / 'service.sqlite'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = asyncio.run(server.create_database())
    with replicas(folder, url) as running:
        yield running.addresses


@pytest.fixture
async def processes(addresses: list[str]) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with clients(addresses) as opened:
        yield opened


def require_clean(answers: list[httpx.Response]) -> None:
    """200, or the one refusal there is: a stale nonce."""
    for answer in answers:
        if answer.status_code != 200:
            assert answer.status_code == 400, answer.text
            assert answer.json()["errors"]["signature"].startswith("Invalid signature expected nonce (")


@pytest.mark.timeout(600)
async def test_each_nonce_is_accepted_once(processes: list[httpx.AsyncClient]) -> None:
    """2,250 requests: ten accounts at once, each sends every nonce three times to each process."""

    async def rounds(key: str) -> Counter[int]:
        accepted: Counter[int] = Counter()
        for nonce in range(1, ROUNDS + 1):
            copies = [create(process, key, nonce, expiration=END) for process in processes * COPIES]
            answers = await asyncio.gather(*copies)
            require_clean(answers)
            accepted[nonce] += sum(answer.status_code == 200 for answer in answers)
        return accepted

    for accepted in await asyncio.gather(*(rounds(key) for key in ACCOUNTS)):
        assert accepted == dict.fromkeys(range(1, ROUNDS + 1), 1)


@pytest.mark.timeout(600)
async def test_nonces_in_any_order(processes: list[httpx.AsyncClient]) -> None:
    """300 nonces of one account, shuffled and twice, over all processes: none twice, and the highest wins."""
    key, nonces = SHUFFLER, [*range(1, 301), *range(1, 301)]
    nonces.sort(key=lambda nonce: (nonce * 7919) % 601)
    answers = await asyncio.gather(
        *(create(processes[i % 3], key, nonce, expiration=END) for i, nonce in enumerate(nonces))
    )
    require_clean(answers)
    accepted = Counter(nonce for nonce, answer in zip(nonces, answers, strict=True) if answer.status_code == 200)
    assert accepted[300] == 1
    assert set(accepted.values()) == {1}
    for process in processes:
        shown = await process.get("/api/services/nonce", params={"userAddress": Account.from_key(key).address})
        assert shown.json() == {"nonce": 300}


async def test_processes_make_the_same_token(processes: list[httpx.AsyncClient]) -> None:
    made = [
        (await create(process, TOKEN_MAKER, nonce, expiration=END)).json()["token"]
        for nonce, process in enumerate(processes, start=1)
    ]
    assert len(set(made)) == 1


def start_body(nonce: int, order: int, code: str) -> dict[str, Any]:
    address = Account.from_key(CONSUMER_KEY).address
    dataset = {"documentId": facts.did(0), "serviceId": "svc", "transferTxId": transaction(order)}
    return {
        "dataset": dataset,
        "environment": FREE,
        "algorithm": {"meta": {**(facts.raw().meta or {}), "rawcode": code}},
        "consumerAddress": address,
        "nonce": nonce,
        "signature": sign(start_message(address, dataset["documentId"], str(nonce)), CONSUMER_KEY),
    }


async def jobs(processes: list[httpx.AsyncClient]) -> list[str]:
    """The same, whichever process is asked."""
    query = {"consumerAddress": Account.from_key(CONSUMER_KEY).address}
    answers = [await process.get("/api/services/compute", params=query) for process in processes]
    first, *others = (sorted(job["jobId"] for job in answer.json()) for answer in answers)
    assert all(other == first for other in others)
    return first


async def test_of_starts_with_one_nonce_one_is_accepted(processes: list[httpx.AsyncClient]) -> None:
    """Another order and another code each, so that nothing but the nonce is in their way."""
    before = await jobs(processes)
    for nonce in range(1, 16):
        bodies = [start_body(nonce, 9 * nonce + place, f"print({place})") for place in range(9)]
        answers = await asyncio.gather(
            *(processes[i % 3].post("/api/services/compute", json=body) for i, body in enumerate(bodies))
        )
        require_clean(answers)
        assert sum(answer.status_code == 200 for answer in answers) == 1
    assert len(await jobs(processes)) == len(before) + 15


async def test_identical_starts_are_one_job(processes: list[httpx.AsyncClient]) -> None:
    """Whoever comes later finds the job claimed, and answers with it."""
    before = await jobs(processes)
    for nonce in range(101, 116):
        body = start_body(nonce, 100 + nonce, "print(1)")
        answers = await asyncio.gather(
            *(process.post("/api/services/compute", json=body) for process in processes * COPIES)
        )
        assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
        assert len({answer.json()[0]["jobId"] for answer in answers}) == 1
    after = await jobs(processes)
    assert len(after) == len(set(after)) == len(before) + 15
