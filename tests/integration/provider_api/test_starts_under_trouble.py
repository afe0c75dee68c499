"""Two hundred starts over three processes, with Argo and database slow at random: no order backs two unfinished jobs,
nothing starts twice, and every refusal says whether it may be repeated."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account

from argo.client.records import FIRST_SERVER
from ocean.signing import sign, start_message
from provider_api.jobs.identity import identify
from tests.support import provider_facts as facts
from tests.support.provider_neighbours import CONSUMER_KEY, FREE, transaction
from tests.support.replica import clients, finish, recorded, replicas, unfinished

pytestmark = pytest.mark.integration

STARTS = 200
ORDERS = 25  # few, so that most starts meet another one on one of their orders
UNFINISHED = 6  # so many jobs at least hold their orders until all starts have been answered
ADDRESS = Account.from_key(CONSUMER_KEY).address
# Every refusal that there may be, and whether the identical request may be sent again.
FINAL = (
    re.compile(r"Invalid signature expected nonce \(\d+\) > current nonce \(\d+\)\."),
    re.compile(r"Job \w+ has been started before and is no longer known\. It is not started again\."),
)
LATER = re.compile(r"agreementId 0x[0-9a-f]{64} is already in use for other job\.")  # when that job is over


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trouble")


@pytest.fixture(scope="module")
def addresses(folder: Path) -> Iterator[list[str]]:
    url = f"sqlite:///{folder / 'service.sqlite'}"
    with replicas(folder, url, trouble=True) as running:
        yield running.addresses


def body(nonce: int, orders: list[int], code: str) -> dict[str, Any]:
    """A start on as many datasets as orders."""
    datasets = [
        {"documentId": facts.did(place), "serviceId": "svc", "transferTxId": transaction(order)}
        for place, order in enumerate(orders)
    ]
    message = start_message(ADDRESS, datasets[0]["documentId"], str(nonce))
    return {
        "dataset": datasets[0],
        "additionalDatasets": datasets[1:],
        "environment": FREE,
        "algorithm": {"meta": {**(facts.raw().meta or {}), "rawcode": code}},
        "consumerAddress": ADDRESS,
        "nonce": nonce,
        "signature": sign(message, CONSUMER_KEY),
    }


def bodies(chance: random.Random) -> list[dict[str, Any]]:
    """Shared orders, stale and equal nonces, and a third of them sent more than once."""
    made: list[dict[str, Any]] = []
    for number in range(STARTS):
        if made and chance.random() < 0.33:
            made.append(chance.choice(made[-12:]))
            continue
        nonce = 100 + number + chance.choice([0, 0, 0, 0, -1, -30])
        orders = chance.sample(range(1, ORDERS + 1), chance.choice([1, 2, 3]))
        made.append(body(nonce, orders, f"print({number % 7})"))
    return made


@pytest.mark.timeout(420)  # processes start slowly on a busy machine
async def test_two_hundred_starts(addresses: list[str], folder: Path) -> None:
    chance = random.Random(20)  # noqa: S311  (a test's)
    requests = bodies(chance)
    answers: list[tuple[dict[str, Any], httpx.Response]] = []
    ends = asyncio.create_task(_jobs_end(folder, random.Random(21)))  # noqa: S311
    held = asyncio.create_task(_watch(folder, {job_of(one): orders_of(one) for one in requests}))
    try:
        async with clients(addresses) as processes:
            places = asyncio.Semaphore(12)

            async def send(request: dict[str, Any], process: httpx.AsyncClient) -> None:
                async with places:
                    for _ in range(40):
                        answer = await process.post("/api/services/compute", json=request)
                        answers.append((request, answer))
                        if answer.status_code not in (502, 503):
                            return
                        await asyncio.sleep(0.05)

            await asyncio.gather(*(send(request, chance.choice(processes)) for request in requests))
    finally:
        ends.cancel()
        held.cancel()
        outcomes = await asyncio.gather(ends, held, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes

    _require_answers_that_say_what_to_do(answers)
    started = {job_of(request) for request, answer in answers if answer.status_code == 200}
    assert len(started) > 15, "most of the starts must have had a chance"
    for request, answer in answers:
        if answer.status_code == 200:
            assert answer.json()[0]["jobId"] == job_of(request), "the identical request is one job"
    made, withdrawn = Counter(recorded(folder, "submitted")), Counter(recorded(folder, "withdrawn"))
    assert all(times <= 1 + withdrawn[name] for name, times in made.items()), "nothing starts twice"
    async with asyncio.timeout(60):
        while _given_up(folder) & unfinished(folder):
            await asyncio.sleep(0.1)


def _require_answers_that_say_what_to_do(answers: list[tuple[dict[str, Any], httpx.Response]]) -> None:
    seen: Counter[str] = Counter()
    for _, answer in answers:
        match answer.status_code:
            case 200:
                seen["started"] += 1
            case 503:
                assert int(answer.headers["retry-after"]) >= 1
                seen["repeat"] += 1
            case 400:
                found = answer.json()
                text = found["error"] if "error" in found else found["errors"]["signature"]
                assert LATER.fullmatch(text) or any(final.fullmatch(text) for final in FINAL), text
                seen["in use" if LATER.fullmatch(text) else "final"] += 1
            case _:
                raise AssertionError(answer.text)
    assert set(seen) == {"started", "repeat", "in use", "final"}, "the trouble was real"


async def _jobs_end(folder: Path, chance: random.Random) -> None:
    """Where many jobs are unfinished one ends, so that its orders may be used again."""
    while True:
        await asyncio.sleep(0.2)
        if len(names := sorted(unfinished(folder))) > UNFINISHED:
            await asyncio.to_thread(finish, folder, chance.choice(names))


async def _watch(folder: Path, orders: dict[str, frozenset[str]]) -> None:
    """Whenever one looks: each order is used by one unfinished job at most. A workflow that came when its claim had
    been given up is on its way out."""
    while True:
        await asyncio.sleep(0.05)
        before = await asyncio.to_thread(unfinished, folder)
        given_up = _given_up(folder)
        jobs = before & await asyncio.to_thread(unfinished, folder) - given_up
        used = Counter(order for job in jobs for order in orders[job])
        assert not [order for order, times in used.items() if times > 1], used


def _given_up(folder: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{folder / 'service.sqlite'}?mode=ro", uri=True, timeout=240)) as database:
        return {job for (job,) in database.execute("SELECT job_id FROM claims WHERE state = 'released'")}


def job_of(request: dict[str, Any]) -> str:
    """The id that the request's job must have."""
    return identify(ADDRESS.lower(), str(request["nonce"]), request, FIRST_SERVER).job_id


def orders_of(request: dict[str, Any]) -> frozenset[str]:
    return frozenset(dataset["transferTxId"] for dataset in (request["dataset"], *request["additionalDatasets"]))
