"""Requests with odd values in every place: each is answered with 200 or 4xx, never with a fault of ours."""

import copy
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import provider_facts as facts
from tests.support.provider_neighbours import FREE, World

pytestmark = pytest.mark.unit

ODD = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**40,
    "",
    " ",
    "x",
    "\x00",
    "💥",
    "{",
    '{"a": 1}',
    "[]",
    [],
    [[]],
    [None],
    [1, {}],
    {},
]
ODD += [{"a": {"b": []}}, {"": ""}, "0x" + "1" * 64, "did:op:" + "0" * 64, "{{=1+1}}", "a" * 5000, {"url": "http://x/"}]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield from places(item, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return changed


def variants(document: dict[str, Any], *, seed: int, count: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)  # noqa: S311  (the same variants in every run)
    singles = [(path, value) for path in places(document) for value in ODD]
    chosen = chance.sample(singles, min(count, len(singles)))
    return [replaced(document, path, copy.deepcopy(value)) for path, value in chosen]


async def test_starts(world: World) -> None:
    body = world.start_body(
        5,
        additionalDatasets=[
            {"documentId": world.publish(1), "serviceId": "svc", "transferTxId": "0x1", "userdata": {}}
        ],
        output={"a": 1},
    )
    body["dataset"]["userdata"] = {"a": 1}
    body["algorithm"] |= {"serviceId": "s", "transferTxId": "", "userdata": {}, "algocustomdata": {"a": 1.5}}
    for variant in variants(body, seed=1, count=120):
        answer = await world.start(variant)
        assert answer.status_code in (200, 400), (answer.status_code, answer.text, variant)


async def test_quotes(world: World) -> None:
    body = {
        "datasets": [{"documentId": world.publish(), "serviceId": "svc", "transferTxId": "0x1", "userdata": {"a": 1}}],
        "algorithm": {"meta": dict(facts.raw().meta or {})},
        "compute": {"env": FREE, "validUntil": int(time.time()) + 600},
        "consumerAddress": world.consumer.address,
    }
    for variant in variants(body, seed=2, count=120):
        answer = await world.http.post("/api/services/initializeCompute", json=variant)
        assert answer.status_code in (200, 400), (answer.status_code, answer.text, variant)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "compute"), ("PUT", "compute"), ("GET", "computeResult"), ("GET", "nonce"), ("POST", "encrypt")],
)
async def test_queries_and_bodies(world: World, method: str, path: str) -> None:
    body = {
        "consumerAddress": world.consumer.address, "userAddress": world.consumer.address, "jobId": "00" * 16,
        "documentId": "did:op:1", "agreementId": "0x1", "index": 0, "nonce": 6, "signature": "0x00", "chainId": 8996,
    }  # fmt: skip
    for variant in variants(body, seed=3, count=60):
        url = f"/api/services/{path}"
        for request in (
            world.http.build_request(method, url, json=variant),
            world.http.build_request(method, url, params={key: str(value) for key, value in variant.items()}),
        ):
            answer = await world.http.send(request)
            assert answer.status_code in (200, 400, 404), (answer.status_code, answer.text, variant)
