"""Signatures of the typed form (EIP-712), and those of contract wallets (ERC-1271)."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data

from ocean.ddo import DDO
from ocean.signing import digest, job_message, sign_bytes, start_message, token_message
from ocean.typed_calls import typed_call, typed_digest
from provider_api.calls.wallets import Wallets
from provider_api.chains.chains import Chains
from provider_api.endpoints.operations import OPERATIONS
from provider_api.openapi.operation import Operation
from provider_api.settings import PolicySettings, TypedSignatures
from tests.support import provider_facts as facts
from tests.support.provider_neighbours import CONSUMER_KEY, PROVIDER_KEY, MemoryChain, World
from tests.support.tokens import expiration, signed
from tests.unit.provider_api.test_callers import ENDPOINTS

pytestmark = pytest.mark.unit

ADDRESS = Account.from_key(CONSUMER_KEY).address
PROVIDER = Account.from_key(PROVIDER_KEY).address
WALLET = "0x" + "5AFE" * 10
CREATE = "GET /api/services/createAuthToken"


def typed(name: str, fields: dict[str, Any], *, field: str = "address", **changes: Any) -> dict[str, Any]:
    """Fields with a typed signature; `changes`: what the signature says instead."""
    parameters = {name: value for name, value in fields.items() if name not in ("nonce", field)}
    said = {"provider": PROVIDER, "account": fields[field], "call": name, "parameters": parameters}
    said |= {"nonce": str(fields["nonce"])} | changes
    return {**fields, "signature": sign_bytes(typed_digest(**said), CONSUMER_KEY)}


def test_what_is_signed_is_what_wallets_sign() -> None:
    parameters = {"b": "x", "a": {"y": 1, "x": ["é"]}, "c": 5}
    whole = typed_call(PROVIDER, ADDRESS.lower(), CREATE, parameters, "7")
    assert [item["value"] for item in whole["message"]["parameters"]] == ['{"x":["é"],"y":1}', "x", "5"]
    expected = _hash_eip191_message(encode_typed_data(full_message=whole))
    assert typed_digest(PROVIDER.lower(), ADDRESS, CREATE, parameters, "7") == expected
    made = Account.sign_typed_data(CONSUMER_KEY, full_message=whole)
    assert sign_bytes(expected, CONSUMER_KEY) == made.signature.to_0x_hex()


@pytest.fixture(params=["accepted", "tokens", "demanded"])
async def setting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[World, TypedSignatures]]:
    async with World(tmp_path, policy=PolicySettings(typed_signatures=request.param)).running() as world:
        yield world, request.param


async def create(world: World, fields: dict[str, Any]) -> httpx.Response:
    return await world.http.get("/api/services/createAuthToken", params=fields)


async def test_which_signatures_make_tokens(setting: tuple[World, TypedSignatures]) -> None:
    world, wanted = setting
    fields = {"address": ADDRESS, "expiration": expiration(), "nonce": "5"}
    assert (await create(world, typed(CREATE, fields))).status_code == 200
    plain = await create(world, signed(CONSUMER_KEY, 6, expiration=expiration()))
    assert (plain.status_code == 200) is (wanted == "accepted")
    if wanted != "accepted":
        assert "typed form (EIP-712)" in plain.json()["errors"]["signature"]
    assert ((await world.stop(7)).status_code == 200) is (wanted != "demanded")
    stop = typed("PUT /api/services/compute", {"consumerAddress": ADDRESS, "nonce": "8"}, field="consumerAddress")
    assert (await world.http.put("/api/services/compute", params=stop)).status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {"provider": facts.PUBLISHER[:-1] + "7"},
        {"account": "0x" + "1" * 40},
        {"call": "DELETE /api/services/deleteAuthToken"},
        {"parameters": {"expiration": "99"}},
        {"parameters": {}},
        {"nonce": "6"},
    ],
)
async def test_a_typed_signature_is_good_for_what_it_names_only(world: World, other: dict[str, Any]) -> None:
    fields = {"address": ADDRESS, "expiration": expiration(), "nonce": "5"}
    answer = await create(world, typed(CREATE, fields, **other))
    assert answer.json()["errors"]["signature"].startswith("Invalid signature 0x")


@pytest.mark.parametrize("name", ENDPOINTS)
async def test_typed_signatures_everywhere(world: World, name: str) -> None:
    call = ENDPOINTS[name]
    fields = {**call.fields, call.caller: ADDRESS, "nonce": "5"}
    answer = await call.send(world, typed(f"{call.method} /api/services/{call.path}", fields, field=call.caller))
    assert answer.status_code == 200 or "signature" not in answer.json().get("errors", {}), answer.json()


IN_A_PATH = [
    operation
    for operation in OPERATIONS
    if "{" in operation.path and any(field.name == "signature" for field in operation.fields)
]


@pytest.mark.parametrize("operation", IN_A_PATH, ids=lambda operation: f"{operation.method} {operation.path}")
@pytest.mark.parametrize("covered", ["all", "another", "none"])
async def test_what_stands_in_the_path_is_signed(world: World, operation: Operation, covered: str) -> None:
    names = re.findall(r"\{(\w+)\}", operation.path)
    asked = {name: "0" if name == "index" else "ab" * 16 for name in names}
    said = {"all": asked, "another": {name: value.replace("ab", "cd") for name, value in asked.items()}, "none": {}}
    signed_for = said[covered]
    if covered == "another":
        signed_for = {**signed_for, **({"index": "1"} if "index" in asked else {})}
    fields = {"consumerAddress": ADDRESS, "nonce": "5"}
    sent = typed(f"{operation.method} {operation.path}", fields, field="consumerAddress", parameters=signed_for)
    answer = await world.http.request(operation.method, operation.path.format(**asked), params=sent)
    invalid = answer.status_code == 400 and "signature" in answer.json().get("errors", {})
    assert invalid is (covered != "all"), answer.text


# --- contract wallets -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Say:
    """What a wallet says of one text."""

    text: str
    account: str = WALLET

    def approved(self, chain: MemoryChain) -> None:
        chain.wallets.setdefault(self.account.lower(), set()).add(digest(self.text))


async def test_a_wallet_starts_a_job_and_makes_a_token(world: World) -> None:
    did = world.publish()
    dataset = {"documentId": did, "serviceId": "svc", "transferTxId": world.order(payer=WALLET)}
    body = world.start_body(5, dataset=dataset, consumerAddress=WALLET) | {"signature": "0x" + "ab" * 70}
    refused = await world.start(body)
    assert refused.json()["errors"]["signature"].startswith("Invalid signature 0xabab")
    Say(start_message(WALLET, did, "5")).approved(world.chain)
    (job,) = (await world.start(body)).json()
    assert job["owner"] == WALLET
    assert (await world.start(body)).json()[0]["jobId"] == job["jobId"]
    Say(token_message(WALLET, "6")).approved(world.chain)
    made = await create(world, {"address": WALLET, "expiration": expiration(), "nonce": "6", "signature": "0x"})
    assert made.status_code == 200
    stop = {"consumerAddress": WALLET, "jobId": job["jobId"], "nonce": "7"}
    stopped = await world.http.put("/api/services/compute", params=stop, headers={"AuthToken": made.json()["token"]})
    assert stopped.json()[0]["stopreq"] == 1


async def test_the_nonce_of_a_wallet_counts(world: World) -> None:
    Say(job_message(WALLET, "", "", "5")).approved(world.chain)
    query = {"consumerAddress": WALLET, "nonce": "5", "signature": "0x01"}
    answers = [await world.http.put("/api/services/compute", params=query) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 400]


async def test_a_chain_that_is_away_is_no_refusal(world: World) -> None:
    world.chain.away = True
    query = {"consumerAddress": WALLET, "nonce": "5", "signature": "0x01"}
    answer = await world.http.put("/api/services/compute", params=query)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert (await world.stop(5)).status_code == 200, "a key's needs no chain"


async def test_which_chains_are_asked() -> None:
    """An address may belong to somebody else on another chain: that one does not speak for the first."""
    first, second = MemoryChain(1), MemoryChain(2)
    did_of_first = facts.did(1)
    first.assets[did_of_first] = DDO.parse(facts.document(did_of_first))
    wanted = digest("text")
    address = WALLET.lower()
    for here, there, about, expected in [
        ({wanted}, None, {}, True),
        ({wanted}, set(), {}, False),  # another owner on the second chain
        (set(), {wanted}, {}, False),
        (None, None, {}, False),
        ({wanted}, set(), {"dids": (did_of_first,)}, True),
        (None, {wanted}, {"dids": (did_of_first,)}, False),
        (None, {wanted}, {"dids": (facts.did(9),)}, False),
        ({wanted}, set(), {"chain_id": 1}, True),
        (set(), {wanted}, {"chain_id": 1}, False),
        ({wanted}, {wanted}, {"chain_id": 9}, False),
    ]:
        first.wallets = {} if here is None else {address: here}
        second.wallets = {} if there is None else {address: there}
        wallets = Wallets(Chains({1: first, 2: second}))
        assert await wallets.accepts(address, wanted, b"", **about) is expected, (here, there, about)  # type: ignore[arg-type]


async def test_a_yes_is_remembered_and_a_no_is_not() -> None:
    chain = MemoryChain(1)
    wallets, address = Wallets(Chains({1: chain})), WALLET.lower()
    chain.wallets[address] = set()
    assert not await wallets.accepts(address, digest("text"), b"s")
    chain.wallets[address].add(digest("text"))
    assert await wallets.accepts(address, digest("text"), b"s")
    chain.away = True
    assert await wallets.accepts(address, digest("text"), b"s"), "for a minute"
    with pytest.raises(Exception, match="not available"):
        await wallets.accepts(address, digest("text"), b"t")
