"""The Operator-Service API: published vectors, workflow documents in every spelling, nonces by their size."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ocean.signing import recover, sign
from provider_api.access.request import ProviderTerms
from provider_api.endpoints.operator.workflow import agreement_of, job_request, stage_of
from provider_api.http.errors import Refused
from tests.support.operator_peer import OperatorPeer
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

OWNER, NONCE = "0xA1b2C3d4E5f60718293a4b5c6D7e8F9012345678", "1717171717171717171"
KEY, SIGNER = "0x" + "11" * 32, "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
VECTORS = {
    OWNER + NONCE: (
        "0x92bd4e8c1984f6c379f5edef85d846b8c3720c2f2244a5b90e86f70266decf26"
        "3e357a92b7ab484fcdef07675ff0eeebe0eef8c9674a87f79241a47e742e0e7c00"
    ),
    OWNER + "0123456789abcdef0123456789abcdef" + NONCE: (
        "0xf4d40b2512a9e993655f2349bab1145895991a03f5ac38512032ef45f68e35b0"
        "46d10d6578d708fe2ad013181e1b64f6bb814bbeb52f4b913df98f0ecfcc438c00"
    ),
}
TX, OTHER_TX = "0x" + "ab" * 32, "0x" + "cd" * 32
TERMS = ProviderTerms(SIGNER.lower(), frozenset({SIGNER.lower()}), TX, 0)


@pytest.mark.parametrize("message", VECTORS)
def test_vectors(message: str) -> None:
    signature = VECTORS[message]
    assert recover(message, signature) == SIGNER
    assert recover(message, signature[:-2] + {"00": "1b", "01": "1c"}[signature[-2:]]) == SIGNER
    assert sign(message, KEY)[:130] == signature[:130]


# --- documents -------------------------------------------------------------------------------------------------------


def document(algorithm: dict[str, Any], **remote: Any) -> dict[str, Any]:
    given = {"id": "did:op:aa", "remote": {"txId": TX, "serviceId": "s", **remote}}
    return {"stages": [{"input": [given], "algorithm": algorithm, "compute": {}, "output": {}}]}


def read(workflow: dict[str, Any], terms: ProviderTerms = TERMS) -> Any:
    return job_request(stage_of(workflow), OWNER.lower(), "small", terms)


RAW = {"id": "", "url": None, "rawcode": "print(1)", "container": {"image": "python"}}


def test_a_raw_algorithm_as_the_peer_sends_it() -> None:
    request = read(document(RAW, userdata={"year": 2024}))
    (dataset,) = request.datasets
    assert (dataset.document_id, dataset.service_id, dataset.transfer_tx_id) == ("did:op:aa", "s", TX)
    assert dataset.userdata == {"year": 2024}
    assert request.algorithm.is_raw
    assert request.algorithm.meta == {"rawcode": "print(1)", "container": {"image": "python"}}
    short = read(document({**RAW, "rawcode": "ls", "algocustomdata": {"n": 1}}))
    assert (short.algorithm.text("rawcode"), short.algorithm.custom_data) == ("ls", {"n": 1})


@pytest.mark.parametrize("place", ["userData", "userdata", "algouserdata", "beside"])
def test_user_data_of_an_algorithm_in_every_spelling(place: str) -> None:
    remote: dict[str, Any] = {
        "txId": OTHER_TX,
        "serviceId": "t",
        "serviceEndpoint": "http://x.example",
        "userData": None,
    }
    algorithm: dict[str, Any] = {"id": "did:op:bb", "rawcode": "", "algouserdata": None, "algocustomdata": None}
    if place == "beside":
        algorithm["algouserdata"] = {"a": 1}
    else:
        remote[place] = {"a": 1}
    request = read(document({**algorithm, "remote": remote}))
    asset = request.algorithm.asset
    assert (asset.document_id, asset.service_id, asset.transfer_tx_id) == ("did:op:bb", "t", OTHER_TX)
    assert asset.userdata == {"a": 1}
    assert request.algorithm.meta is None


@pytest.mark.parametrize(
    "workflow",
    [
        None, [], {}, {"stages": None}, {"stages": {}}, {"stages": [5]},
        {"stages": [{"input": [], "algorithm": RAW, "compute": {}, "output": {}}]},
        {"stages": [{"input": {}, "algorithm": RAW, "compute": {}, "output": {}}]},
        {"stages": [{"input": [5], "algorithm": RAW, "compute": {}, "output": {}}]},
        {"stages": [{"input": [{"id": "did:op:aa", "url": "u"}], "algorithm": RAW, "compute": {}, "output": {}}]},
        {**document(RAW), "stages": document(RAW)["stages"] * 2},
        document({"id": "did:op:bb"}),
        document(RAW, txId=OTHER_TX),
        document(RAW, txId=None),
    ],
)  # fmt: skip
def test_documents_that_are_none(workflow: Any) -> None:
    with pytest.raises(Refused):
        read(workflow)


def test_the_agreement_in_other_spellings() -> None:
    assert agreement_of("AB" * 32) == agreement_of("0X" + "ab" * 32) == TX
    assert read(document(RAW, txId="AB" * 32)).terms == TERMS
    for text in ("", "0x17", "did:op:aa"):
        with pytest.raises(Refused):
            agreement_of(text)


# --- nonces ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def known(tmp_path: Path) -> AsyncIterator[tuple[World, OperatorPeer]]:
    key = Account.from_key(KEY)
    async with World(tmp_path, operator={"providers": {"acme": [key.address]}}).running() as world:
        yield world, OperatorPeer(key, world.http)


async def ask(world: World, query: dict[str, Any]) -> int:
    answer = await world.http.get("/api/v1/operator/compute", params=query)
    return answer.status_code


async def test_nanoseconds_survive_json(known: tuple[World, OperatorPeer]) -> None:
    world, peer = known
    body = peer.query(OWNER)
    assert len(str(body["nonce"])) == 19
    answer = await world.http.request("GET", "/api/v1/operator/compute", json=body)
    assert (answer.status_code, answer.json()) == (200, [])


async def test_an_account_has_no_part_in_a_providers_nonces(known: tuple[World, OperatorPeer]) -> None:
    world, peer = known
    assert await ask(world, peer.query(world.consumer.address)) == 200
    assert await world.nonce() == "1"


async def test_two_keys_of_one_provider(tmp_path: Path) -> None:
    keys = [Account.create(), Account.create()]
    listed = {"acme": [keys[0].address.lower(), keys[1].address]}
    async with World(tmp_path, operator={"providers": listed}).running() as world:
        assert [await ask(world, OperatorPeer(key, world.http).query(OWNER)) for key in keys] == [200, 200]
        stranger = OperatorPeer(Account.create(), world.http)
        assert await ask(world, stranger.query(OWNER)) == 401


def test_the_settings_come_as_json() -> None:
    from provider_api.settings import load_settings

    found = load_settings({"C2D_OPERATOR__PROVIDERS": json.dumps({"acme": [SIGNER]})})
    assert found.operator.providers == {"acme": (SIGNER,)}
