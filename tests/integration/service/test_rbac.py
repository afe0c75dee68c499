"""An access control server that is really asked: what it gets, that its no is final, that nothing passes without it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ocean.addresses import checksum
from ocean.signing import recover
from provider_api.access.control import DENIED, AccessControl, Use
from provider_api.http.errors import InvalidRequest, NeighbourAway
from provider_api.keys import keys_of
from provider_api.settings import AccessSettings
from tests.support import provider_facts as facts
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.provider_neighbours import PROVIDER_KEY, World

pytestmark = pytest.mark.integration

KEYS = keys_of(PROVIDER_KEY)
CONSUMER = checksum(facts.CONSUMER)
A, B, C = ((facts.did(n), f"svc{n}") for n in (1, 2, 3))


class Judge:
    """The server. `answer` is its next answer; `asked` what it was sent."""

    def __init__(self) -> None:
        self.answer: Reply | bytes = Reply(body=b"true")
        self.asked: list[dict[str, Any]] = []
        self.requests = 0

    def __call__(self, request: Request) -> Reply | bytes:
        self.requests += 1
        assert (request.method, request.target) == ("POST", "/judge?key=s3cret")
        assert request.headers["content-type"] == "application/json"
        self.asked.append(json.loads(request.body))
        return self.answer


def url(server: HttpServer) -> str:
    return f"http://127.0.0.1:{server.port}/judge?key=s3cret"


@asynccontextmanager
async def control(**settings: Any) -> AsyncIterator[tuple[AccessControl, Judge]]:
    judge = Judge()
    async with HttpServer(judge) as server:
        given = AccessSettings(rbac_url=url(server), **settings)
        async with AccessControl(given, KEYS, 5) as made:
            yield made, judge


def require_signed(asked: dict[str, Any], message: str) -> None:
    assert recover(message, asked["signature"]) == KEYS.address == asked["providerAddress"]


# --- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["initialize", "access"])
async def test_use_of_one_asset(event: Any) -> None:
    async with control() as (made, judge):
        await made.require(event, facts.CONSUMER, [A])
    (asked,) = judge.asked
    require_signed(asked, event + f'{{"type": "address", "value": "{CONSUMER}"}}')
    del asked["signature"]
    assert asked == {
        "eventType": event,
        "component": "provider",
        "providerAddress": KEYS.address,
        "providerAccess": "public",
        "credentials": {"type": "address", "value": CONSUMER},
        "dids": [{"did": A[0], "serviceId": A[1]}],
    }


COMPUTE: dict[str, tuple[list[Use], list[Use], list[Use]]] = {
    "everything": ([A], [B], [C]),
    "a raw algorithm": ([A], [], [C]),
    "one dataset": ([A], [B], []),
    "a stop or delete": ([], [], []),
}


@pytest.mark.parametrize("case", COMPUTE)
async def test_compute(case: str) -> None:
    """Lists with nothing in them are neither sent nor signed."""
    dids, algorithms, additional = COMPUTE[case]
    async with control(private_provider=True) as (made, judge):
        await made.require("compute", CONSUMER, dids, algorithms, additional)
    (asked,) = judge.asked
    lists = {"dids": dids, "algos": algorithms, "additionalDids": additional}
    expected = {
        name: [{"did": did, "serviceId": service} for did, service in uses] for name, uses in lists.items() if uses
    }
    assert {name: asked[name] for name in lists if name in asked} == expected
    assert asked["providerAccess"] == "private"
    signed = f'{{"type": "address", "value": "{CONSUMER}"}}' + "".join(
        "[" + ", ".join(f'{{"did": "{u["did"]}", "serviceId": "{u["serviceId"]}"}}' for u in uses) + "]"
        for uses in expected.values()
    )
    require_signed(asked, "compute" + signed)


async def test_without_a_server_nobody_is_asked() -> None:
    async with AccessControl(AccessSettings(), KEYS, 5) as made:
        await made.require("compute", CONSUMER)


# --- what the answer means -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"false", b" false\n", b"null", b"0", b'""', b"[]", b"{}"])
@pytest.mark.parametrize("status", [200, 403])
async def test_a_no(body: bytes, status: int) -> None:
    async with control() as (made, judge):
        judge.answer = Reply(status, body)
        with pytest.raises(InvalidRequest) as refused:
            await made.require("access", CONSUMER, [A])
    assert refused.value.status == 400
    assert refused.value.body() == {"errors": {"RBAC": [DENIED]}, "message": "Validation error", "success": False}


NO_ANSWER: dict[str, Reply | bytes] = {
    "an error that is truthy": Reply(500, b'{"error": "database away"}'),
    "a yes with an error": Reply(500, b"true"),
    "a no with an error": Reply(503, b"false"),
    "an object": Reply(200, b'{"allowed": false}'),
    "text": Reply(200, b'"false"'),
    "a number": Reply(200, b"1"),
    "not JSON": Reply(200, b"<html>yes</html>"),
    "nothing": Reply(200, b""),
    "too much": Reply(200, b"true" + b" " * 100_000),
    "a redirect to a yes": Reply(302, b"true", {"location": "/judge?key=s3cret"}),
    "a broken connection": b"",
    "no HTTP": b"hello\r\n\r\n",
    "deep nesting": Reply(200, b"[" * 4000),
}


@pytest.mark.parametrize("case", NO_ANSWER)
async def test_without_a_yes_nothing_passes(case: str) -> None:
    async with control() as (made, judge):
        judge.answer = NO_ANSWER[case]
        with capture_logs() as logs, pytest.raises(NeighbourAway) as away:
            await made.require("access", CONSUMER, [A])
    assert (away.value.status, away.value.headers()) == (503, {"Retry-After": "5"})
    assert judge.requests == 1
    assert "s3cret" not in str(logs) + str(away.value)


async def test_a_server_that_is_not_there() -> None:
    async with HttpServer(Judge()) as server:
        gone = url(server)
    async with AccessControl(AccessSettings(rbac_url=gone), KEYS, 5) as made:
        with pytest.raises(NeighbourAway):
            await made.require("access", CONSUMER, [A])


async def test_a_server_that_takes_its_time() -> None:
    """Also one that sends a byte now and then: the time limit is for the whole."""

    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    async with control(timeout_seconds=0.3) as (made, judge):
        judge.answer = Reply(200, drops())
        async with asyncio.timeout(60):
            with pytest.raises(NeighbourAway):
                await made.require("access", CONSUMER, [A])


# --- through the endpoints -------------------------------------------------------------------------------------------


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[tuple[World, Judge]]:
    """The service with an access control server."""
    judge = Judge()
    async with (
        HttpServer(judge) as server,
        World(folder, access=AccessSettings(rbac_url=url(server))).running() as world,
    ):
        yield world, judge


async def test_encrypt(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (world, judge):

        async def encrypt() -> Any:
            headers = {"content-type": "application/octet-stream"}
            return await world.http.post("/api/services/encrypt?chainId=8996", content=b"x", headers=headers)

        assert (await encrypt()).status_code == 201
        assert judge.asked[0]["eventType"] == "encryptUrl"
        assert judge.asked[0]["credentials"] == {"type": "address", "value": None}
        require_signed(judge.asked[0], 'encryptUrl{"type": "address", "value": null}')
        judge.answer = Reply(body=b"false")
        answer = await encrypt()
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"RBAC": [DENIED]}
        judge.answer = Reply(500)
        answer = await encrypt()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_start(tmp_path: Path) -> None:
    """Asked with all assets before anything is claimed; the same request may come again after a no."""
    async with guarded(tmp_path) as (world, judge):
        second = {"documentId": world.publish(1), "serviceId": "svc", "transferTxId": world.order()}
        body = world.start_body(additionalDatasets=[second])
        judge.answer = Reply(body=b"false")
        answer = await world.start(body)
        assert (answer.status_code, answer.json()["errors"]) == (400, {"RBAC": [DENIED]})
        judge.answer = Reply(500, b"true")
        answer = await world.start(body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert world.argo.created == 0
        judge.answer = Reply(body=b"true")
        assert (await world.start(body)).status_code == 200
        assert world.argo.created == 1
        asked = judge.asked[-1]
        assert asked["eventType"] == "compute"
        assert asked["credentials"] == {"type": "address", "value": world.consumer.address}
        assert asked["dids"] == [{"did": facts.did(0), "serviceId": "svc"}]
        assert asked["additionalDids"] == [{"did": facts.did(1), "serviceId": "svc"}]
        assert "algos" not in asked


async def test_start_of_a_published_algorithm(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (world, judge):
        algorithm = {"documentId": facts.ALGORITHM_DID, "serviceId": "svc", "transferTxId": "0x1"}
        await world.start(world.start_body(algorithm=algorithm))
        assert judge.asked[0]["algos"] == [{"did": facts.ALGORITHM_DID, "serviceId": "svc"}]
        assert "additionalDids" not in judge.asked[0]


async def test_who_has_not_signed_is_not_asked_about(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (world, judge):
        answer = await world.start(world.start_body() | {"signature": "0x12"})
        assert answer.status_code == 400
        assert judge.asked == []


async def test_stop(tmp_path: Path) -> None:
    async with guarded(tmp_path) as (world, judge):
        (job,) = (await world.start(world.start_body(nonce=5))).json()
        judge.answer = Reply(body=b"false")
        answer = await world.stop(6, job["jobId"])
        assert (answer.status_code, answer.json()["errors"]) == (400, {"RBAC": [DENIED]})
        assert world.argo.workflows[job["jobId"]].shutdown == ""
        judge.answer = Reply(body=b"true")
        assert (await world.stop(6, job["jobId"])).json()[0]["stopreq"] == 1
        asked = judge.asked[-1]
        assert sorted(asked) == [
            "component", "credentials", "eventType", "providerAccess", "providerAddress", "signature",
        ]  # fmt: skip
        require_signed(asked, f'compute{{"type": "address", "value": "{world.consumer.address}"}}')
