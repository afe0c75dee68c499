"""Rules that every endpoint obeys: where parameters come from, the shapes of errors, headers, limits."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocean.chain.errors import NodeRefused
from ocean.chain.index_health import PATIENT_ROUNDS
from provider_api.calls.fields import nonce_number
from provider_api.calls.parameters import Call, read_parameters
from provider_api.chains import readiness
from provider_api.settings import ServerSettings
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.unit

COMPUTE = "/api/services/compute"
ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


async def test_root(world: World) -> None:
    answer = await world.http.get("/", headers={"Content-Type": "application/json"})
    assert answer.status_code == 200
    body = answer.json()
    assert len(body["serviceEndpoints"]) == 16
    assert body["serviceEndpoints"]["computeStart"] == ["POST", COMPUTE]
    assert body["serviceEndpoints"]["create_auth_token"] == ["GET", "/api/services/createAuthToken"]
    assert all(path.startswith("/api/services/") for _, path in body["serviceEndpoints"].values())
    assert body["providerAddresses"] == {"8996": "0x90F79bf6EB2c4f870365E785982E1f101E93b906"}
    assert body["chainIds"] == [8996]
    assert body["software"] == "Provider"
    assert "providerAddress" not in body
    assert list(body) == sorted(body)
    assert answer.content.endswith(b"}\n")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["//api/services/nonce", "///api/services/nonce"])
async def test_leading_slashes_do_not_matter(world: World, path: str) -> None:
    answer = await world.http.get(
        httpx.URL("http://provider").copy_with(raw_path=f"{path}?userAddress={ADDRESS}".encode())
    )
    assert answer.json() == {"nonce": 1}


async def test_inner_slashes_are_redirected(world: World) -> None:
    answer = await world.http.get("/api//services/nonce?userAddress=1")
    assert (answer.status_code, answer.headers["location"]) == (308, "/api/services/nonce?userAddress=1")


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/nothing", 404, "Not Found"),
        ("GET", "/api/services/nonce/", 404, "Not Found"),
        ("GET", "/api/services/Nonce", 404, "Not Found"),
        ("POST", "/api/services/nonce", 405, "Method Not Allowed"),
        ("PATCH", COMPUTE, 405, "Method Not Allowed"),
        ("GET", "/api/services/encrypt", 405, "Method Not Allowed"),
    ],
)
async def test_unknown_paths_and_methods(world: World, method: str, path: str, status: int, name: str) -> None:
    answer = await world.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["context"] is None
    assert answer.json()["error"].startswith(f"{status} {name}: ")
    assert list(answer.json()) == ["context", "error"]


async def test_head(world: World) -> None:
    assert (await world.http.head(COMPUTE)).status_code == 400, "validation comes first"
    assert (await world.http.head(COMPUTE, params={"consumerAddress": ADDRESS})).status_code == 405
    assert (await world.http.head("/api/services/computeEnvironments")).status_code == 405
    assert (await world.http.head("/")).status_code == 200


async def test_cors(world: World) -> None:
    plain = await world.http.get("/")
    assert plain.headers["access-control-allow-origin"] == "*"
    exposed = plain.headers["access-control-expose-headers"].split(", ")
    assert {"Content-Disposition", "X-Request-ID"} <= set(exposed)
    browser = await world.http.get("/nothing", headers={"Origin": "https://market.example"})
    assert browser.headers["access-control-allow-origin"] == "https://market.example"
    assert browser.headers["vary"] == "Origin"
    preflight = await world.http.options(
        COMPUTE, headers={"Origin": "https://m", "Access-Control-Request-Headers": "authtoken,content-type"}
    )
    assert (preflight.status_code, preflight.content) == (200, b"")
    assert preflight.headers["access-control-allow-headers"] == "authtoken,content-type"
    assert preflight.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


async def test_nonce(world: World) -> None:
    for address in (ADDRESS, ADDRESS.lower()):
        assert (await world.http.get("/api/services/nonce", params={"userAddress": address})).json() == {"nonce": 1}
    answer = await world.http.get("/api/services/nonce")
    assert answer.status_code == 400
    assert answer.json() == {
        "errors": {"userAddress": ["The userAddress field is required."]},
        "message": "Validation error",
        "success": False,
    }
    assert list(answer.json()) == ["errors", "message", "success"], "clients read the first and second key"
    answer = await world.http.get("/api/services/nonce", params={"userAddress": "me"})
    assert answer.json()["errors"] == {"userAddress": ["The userAddress format is invalid."]}


async def test_the_query_hides_the_body(world: World) -> None:
    request = world.http.build_request("GET", COMPUTE, params={"x": "1"}, json={"consumerAddress": ADDRESS})
    assert (await world.http.send(request)).json()["errors"] == {
        "consumerAddress": ["The consumerAddress field is required."]
    }
    request = world.http.build_request("GET", COMPUTE, json={"consumerAddress": ADDRESS})
    assert (await world.http.send(request)).json() == []
    body = world.start_body()
    answer = await world.http.post(COMPUTE, params={"x": "1"}, json=body)
    assert answer.json()["errors"] == {"dataset.documentId": ["The dataset.documentId field is required."]}
    assert not world.argo.submissions


async def test_repeated_query_keys_the_first_wins(world: World) -> None:
    answer = await world.http.get(f"{COMPUTE}?consumerAddress={ADDRESS}&consumerAddress=x")
    assert answer.json() == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", json.dumps({"consumerAddress": ADDRESS})),
        ("application/x-www-form-urlencoded", f"consumerAddress={ADDRESS}"),
        ("application/json", "{broken"),
        ("application/json", ""),
        ("application/json", '{"consumerAddress": NaN}'),
    ],
)
async def test_what_counts_as_no_body(world: World, content_type: str, body: str) -> None:
    request = world.http.build_request("GET", COMPUTE, content=body, headers={"Content-Type": content_type})
    answer = await world.http.send(request)
    assert answer.json()["errors"] == {"consumerAddress": ["The consumerAddress field is required."]}


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b'"text"',
        b"[" * 200_000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"consumerAddress": "\\ud800"}',
        b'{"\\udc00": 1}',
    ],
)
async def test_bodies_that_cannot_be_worked_with(world: World, body: bytes) -> None:
    answer = await world.http.post(COMPUTE, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert list(answer.json()) in (["error"], ["errors", "message", "success"])


async def test_invalid_utf8(world: World) -> None:
    answer = await world.http.post(COMPUTE, content=b'{"a": "\xff"}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert (await world.http.get("/api/services/nonce?userAddress=%ff")).status_code == 400


async def test_body_limit(tmp_path: Path) -> None:
    async with World(tmp_path, server=ServerSettings(max_body_bytes=1024)).running() as world:
        answer = await world.http.post(COMPUTE, json={"x": "y" * 2000})
        assert answer.status_code == 413
        assert answer.json()["error"].startswith("413 ")

        async def pieces() -> Any:
            for _ in range(20):
                yield b" " * 100

        answer = await world.http.post(COMPUTE, content=pieces(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413


def test_numbers_keep_their_digits() -> None:
    body = b'{"a": 1795405424715548897123, "b": 4.50, "c": 1e3, "d": 0, "e": true}'
    given = Call(*read_parameters("", "application/json", body))
    assert [given.text(name) for name in "abcdef"] == ["1795405424715548897123", "4.50", "1e3", "0", "true", ""]


@pytest.mark.parametrize(
    "value",
    ["0", "7", "4.5", "9" * 78, "0." + "1" * 18, 7, 0, "0010", "9" * 255, "1e3", "1.1111111111111111e+23", "1E254"],
)
def test_good_nonces(value: Any) -> None:
    assert nonce_number("nonce", value, Call({})) is None


@pytest.mark.parametrize(
    "value",
    [
        *("+5", "-1", " 99 ", "1_000", "inf", "nan", "0x10", "x1", "9" * 256, "0." + "1" * 254, ".5", "5.", "٣"),
        *("1e-7", "1.55e1", "1e255", "1e1000", "1e", "e5", "1e+", "1e5e5", "1 e5"),
    ],
)
def test_bad_nonces(value: str) -> None:
    assert nonce_number("nonce", value, Call({})) == "The nonce must be a number."


async def test_unforeseen_errors_say_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: object, **more: object) -> None:
        raise RuntimeError("secret http://internal/")

    monkeypatch.setattr(type(world.argo), "list", broken)
    answer = await world.http.get(COMPUTE, params={"consumerAddress": ADDRESS})
    assert (answer.status_code, answer.json()) == (500, {"context": None, "error": "Internal error."})


async def test_neighbours_away(world: World) -> None:
    world.argo.away = True
    answer = await world.http.get(COMPUTE, params={"consumerAddress": ADDRESS})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert list(answer.json()) == ["context", "error"]


async def test_health(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEPT_SECONDS", 0.0)
    assert (await world.http.get("/health/live")).json() == {"status": "ok"}
    assert (await world.http.get("/health/ready")).json()["checks"] == {
        "argo": "ok",
        "chain 8996": "ok",
        "storage": "ok",
    }
    world.chain.away = True
    answer = await world.http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["chain 8996"] == "unavailable"
    world.chain.away = False
    for _ in range(PATIENT_ROUNDS):
        assert (await world.http.get("/health/ready")).status_code == 200, "one bad round is nothing"
        world.chain.index_health.failed(NodeRefused(8996, -32000, "batch too large for project 0xsecret"))
    answer = await world.http.get("/health/ready")
    cause = "assets are not up to date: the node refuses: too many calls in one request"
    assert (answer.status_code, answer.json()["checks"]["chain 8996"]) == (503, cause)
    world.chain.index_health.succeeded(behind=0)
    assert (await world.http.get("/health/ready")).status_code == 200


async def test_who_asks_for_health_again_gets_what_is_known(world: World) -> None:
    for _ in range(20):
        answers = await asyncio.gather(*(world.http.get("/health/ready") for _ in range(10)))
        assert {answer.status_code for answer in answers} == {200}
    assert world.chain.heads <= 2
