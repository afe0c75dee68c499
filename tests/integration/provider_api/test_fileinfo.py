"""fileinfo: what everybody may know of a file, and whom the service asks for it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocean.outgoing import OutgoingGuard
from tests.support import provider_facts as facts
from tests.support.file_shop import Shop
from tests.support.http_server import Reply, Request
from tests.support.provider_neighbours import World

pytestmark = pytest.mark.integration

TABLE = b"day,mm\n1,3\n"
ABI = {"type": "function", "name": "f", "stateMutability": "view", "inputs": [], "outputs": [{"type": "uint256"}]}
TWO_INPUTS = [{"name": "who", "type": "address"}, {"name": "n", "type": "uint256"}]


def answer(request: Request) -> Reply | bytes:
    path = request.target.partition("?")[0]
    if path == "/rain.csv":
        return Reply(200, TABLE, {"content-type": "text/csv; charset=utf-8"})
    if path == "/large":
        return Reply(200, b"x" * 5000, {"content-type": "application/x-thing"})
    if path == "/untold":
        return Reply(200, TABLE, {"content-disposition": 'attachment; filename="told.csv"'}, length=None)
    if path == "/chunked":
        return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    if path == "/moved":
        return Reply(302, b"", {"location": "/rain.csv"})
    if path.startswith(("/ipfs/", "/arweave/")):
        return Reply(200, path.encode(), {"content-type": "text/plain"})
    if path == "/graphql":
        return Reply(200, json.dumps({"data": json.loads(request.body)}).encode(), {"content-type": "application/json"})
    if path == "/echo":
        return Reply(200, request.target.encode() + request.body, {"content-type": "text/plain"})
    return Reply(404, b"no")


GATEWAYS = {"ipfs_gateway": "http://{address}/", "arweave_gateway": "http://{address}/arweave"}


def without_reason(entry: dict[str, Any]) -> dict[str, Any]:
    """A file that cannot be had says why; it does not say where it is."""
    assert entry["valid"] is False
    assert entry["reason"]
    assert "127.0.0.1" not in entry["reason"]
    assert "://" not in entry["reason"]
    return {name: value for name, value in entry.items() if name != "reason"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with Shop.open(tmp_path, answer, GATEWAYS | {"max_checksum_bytes": 1000}) as opened:
        yield opened


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- what is asked, what is answered ---------------------------------------------------------------------------------

FIELDS: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    (
        {},
        {
            "type": ["The type field is required when did is not present."],
            "did": ["The did field is required when type is not present."],
            "serviceId": ["The serviceId field is required when type is not present."],
        },
    ),
    ({"type": "ipfs"}, {"hash": ["The hash field is required when type is ipfs."]}),
    ({"type": "url"}, {"url": ["The url field is required when type is url."]}),
    ({"type": "arweave"}, {"transactionId": ["The transactionId field is required when type is arweave."]}),
    ({"type": "filecoin"}, {"type": ["The selected type is invalid."]}),
    ({"did": "did:x", "serviceId": "s"}, {"did": ["The did format is invalid."]}),
    ({"did": ["did:op:1"], "serviceId": "s"}, {"did": ["The did format is invalid."]}),
    ({"did": facts.did(1)}, {"serviceId": ["The serviceId field is required when type is not present."]}),
]


@pytest.mark.parametrize(("body", "errors"), FIELDS)
async def test_fields(shop: Shop, body: dict[str, Any], errors: dict[str, list[str]]) -> None:
    refused = await shop.world.http.post("/api/services/fileinfo", json=body)
    assert refused.status_code == 400
    told = refused.json()
    assert told.pop("wanted", {}).keys() <= errors.keys()
    assert told == {"errors": errors, "message": "Validation error", "success": False}
    # With a query nothing else counts.
    hidden = await shop.world.http.post("/api/services/fileinfo?x=1", json=shop.file())
    assert (hidden.status_code, sorted(hidden.json()["errors"])) == (400, ["did", "serviceId", "type"])


async def test_a_url_file(shop: Shop) -> None:
    told = await shop.info(**shop.file())
    assert told.status_code == 200
    assert told.json() == [
        {"contentLength": "11", "contentType": "text/csv", "filename": "rain.csv", "index": 0, "type": "url",
         "valid": True}
    ]  # fmt: skip
    assert told.text == json.dumps(told.json(), sort_keys=True, separators=(",", ":")) + "\n"


async def test_several_files_in_order(shop: Shop) -> None:
    did = shop.publish(shop.file(), shop.file("/none"), shop.file("/large"))
    entries = (await shop.info(did)).json()
    assert [(entry["index"], entry["valid"]) for entry in entries] == [(0, True), (1, False), (2, True)]
    assert without_reason(entries[1]) == {"index": 1, "type": "url", "valid": False}


@pytest.mark.parametrize("wanted", [1, True, "true", "yes"])
async def test_checksum(shop: Shop, wanted: Any) -> None:
    did = shop.publish(shop.file(), shop.file("/chunked"))
    entry, chunked = (await shop.info(did, checksum=wanted)).json()
    assert (entry["checksum"], entry["checksumType"]) == (sha256(TABLE), "sha256")
    assert (chunked["contentLength"], chunked["checksum"]) == ("5", sha256(b"hello"))
    asked = len(shop.server.requests)
    assert (await shop.info(did, checksum=wanted)).json() == [entry, chunked]
    assert len(shop.server.requests) == asked + 2, "a checksum is known for a while"


async def test_no_checksum_of_what_nobody_has_published(shop: Shop) -> None:
    (entry,) = (await shop.info(**shop.file(), checksum=True)).json()
    assert (entry["valid"], "checksum" in entry) == (True, False)


@pytest.mark.parametrize("wanted", [None, False, 0, "", "false"])
async def test_no_checksum_unless_asked(shop: Shop, wanted: Any) -> None:
    (entry,) = (await shop.info(shop.publish(shop.file()), checksum=wanted)).json()
    assert "checksum" not in entry


async def test_no_checksum_of_a_large_file(shop: Shop) -> None:
    (entry,) = (await shop.info(shop.publish(shop.file("/large")), checksum=True)).json()
    assert entry == {"contentLength": "5000", "contentType": "application/x-thing", "filename": "", "index": 0,
                     "type": "url", "valid": True}  # fmt: skip


async def test_a_length_that_is_not_told_and_a_redirect(shop: Shop) -> None:
    (chunked,) = (await shop.info(**shop.file("/chunked"))).json()
    assert (chunked["contentLength"], chunked["contentType"], chunked["filename"]) == ("", "", "chunked")
    (moved,) = (await shop.info(**shop.file("/moved"))).json()
    assert (moved["valid"], moved["contentLength"], moved["filename"]) == (True, "11", "moved")
    (named,) = (await shop.info(**shop.file("/untold"))).json()
    assert named["filename"] == "told.csv"


@pytest.mark.parametrize("path", ["/none", "/none?x=1"])
async def test_files_that_cannot_be_had(shop: Shop, path: str) -> None:
    for file in (shop.file(path), {"type": "url", "url": "http://127.0.0.1:9/x"}, {"type": "url", "url": "x"}):
        told = await shop.info(**file, checksum=True)
        assert (told.status_code, [*map(without_reason, told.json())]) == (
            200,
            [{"index": 0, "type": "url", "valid": False}],
        )


async def test_a_source_that_takes_its_time(tmp_path: Path) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.sleep(3600)
        yield b""

    async with Shop.open(tmp_path, lambda _: Reply(200, never()), {"timeout_seconds": "0.3"}) as shop:
        told = await asyncio.wait_for(shop.info(shop.publish(shop.file()), checksum=True), 60)
        assert [*map(without_reason, told.json())] == [{"index": 0, "type": "url", "valid": False}]


async def test_unknown_assets_and_services(shop: Shop) -> None:
    did = shop.publish(shop.file())
    cases = {
        "Cannot resolve DID": await shop.info(facts.did(9)),
        "Provider Ganache: Invalid serviceId.": await shop.info(did, serviceId="SVC"),
        "Provider Ganache: Unable to get dataset files": await shop.info(shop.publish(number=2)),
    }
    foreign = shop.publish(shop.file(), number=3, service={"files": "0x04" + "ab" * 120})
    assert (await shop.info(foreign)).json() == {"error": "Provider Ganache: Unable to get dataset files"}
    for text, refused in cases.items():
        assert (refused.status_code, refused.json()) == (400, {"error": text})


FILE_OBJECTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "url", "url": "https://x.example/a", "headers": "x"}, "malformed file object."),
    ({"type": "url", "url": "https://x.example/a", "headers": {"Range": "bytes=0-9"}}, "malformed file object."),
    ({"type": "url", "url": 5}, "malformed file object."),
    ({"type": "url", "url": "https://x.example/a", "method": "DELETE"}, "Unsafe method delete."),
    (
        {"type": "url", "url": "ftp://x.example/a"},
        "Invalid file name format. It was not possible to get the file name. The url must be one of http or https.",
    ),
    ({"type": "ipfs", "hash": "../x"}, "malformed file object."),
    ({"type": "graphql", "query": "{x}"}, "missing graphql endpoint"),
    ({"type": "graphql", "url": "https://x.example/g"}, "missing graphql query"),
    ({"type": "smartcontract", "abi": ABI}, "malformed smartcontract type, missing contract address"),
    ({"type": "smartcontract", "address": facts.TOKEN}, "invalid abi"),
    ({"type": "smartcontract", "address": facts.TOKEN, "abi": {**ABI, "type": "event"}}, "invalid abi"),
    (
        {"type": "smartcontract", "address": facts.TOKEN, "abi": {**ABI, "stateMutability": "payable"}},
        "only view or pure functions are allowed",
    ),
    ({"type": "smartcontract", "address": facts.TOKEN, "abi": {**ABI, "name": ""}}, "missing name"),
]


@pytest.mark.parametrize(("file", "text"), FILE_OBJECTS)
async def test_file_objects_that_are_none(shop: Shop, file: dict[str, Any], text: str) -> None:
    """As an argument, and one of them spoils the whole list of an asset."""
    refused = await shop.info(**file)
    assert (refused.status_code, refused.json()) == (400, {"error": text})
    published = await shop.info(shop.publish(shop.file(), file))
    assert (published.status_code, published.json()) == (400, {"error": text})
    assert shop.server.requests == []


# --- the five types --------------------------------------------------------------------------------------------------


async def test_each_type(shop: Shop) -> None:
    contract = {"type": "smartcontract", "address": facts.TOKEN, "abi": ABI, "chainId": 8996}
    files: list[tuple[dict[str, Any], Any, str | None]] = [
        (shop.file("/echo"), str(len("/echo")), "echo"),
        ({"type": "ipfs", "hash": "QmSecret/a.csv"}, str(len("/ipfs/QmSecret/a.csv")), ""),
        ({"type": "arweave", "transactionId": "T-x_1"}, str(len("/arweave/T-x_1")), ""),
        (contract, len("[]"), None),
    ]
    for file, length, name in files:
        (entry,) = (await shop.info(**file)).json()
        assert (entry["valid"], entry["type"], entry["contentLength"]) == (True, file["type"], length), file
        assert entry.get("filename") == name
    posted = [shop.file("/echo", method="post"), graphql(shop)]
    entries = (await shop.info(shop.publish(*(file for file, _, _ in files), *posted))).json()
    assert [entry["valid"] for entry in entries] == [True] * 6
    assert entries[-1]["contentLength"] == str(len('{"data": {"query": "{x}"}}'))


def graphql(shop: Shop) -> dict[str, Any]:
    return {"type": "graphql", "url": shop.url + "/graphql", "query": "{x}"}


async def test_what_a_stranger_can_make_the_service_send(shop: Shop) -> None:
    """A GET to the URL and nothing else: no method, header or body of his."""
    for file in (shop.file("/echo", method="POST"), graphql(shop)):
        (entry,) = (await shop.info(**file, userdata={"a": 1})).json()
        assert (entry["valid"], "POST" in entry["reason"]) == (False, True)
    assert shop.server.requests == []
    headers = {
        "X-Api-Key": "k",
        "Authorization": "Bearer x",
        "Host": "inner.example",
        "X-HTTP-Method-Override": "DELETE",
    }
    (entry,) = (await shop.info(**shop.file("/echo", headers=headers))).json()
    (request,) = shop.server.requests
    assert (entry["valid"], request.method, request.body) == (True, "GET", b"")
    assert set(request.headers) == {"host", "accept", "accept-encoding", "user-agent"}
    assert request.headers["host"] == shop.url.removeprefix("http://")
    await shop.info(shop.publish(shop.file("/echo", headers=headers)))
    assert shop.server.requests[-1].headers["x-api-key"] == "k", "a publisher's own headers are sent"
    assert shop.server.requests[-1].headers["host"] == shop.url.removeprefix("http://"), "but for this one"


async def test_gateways_and_chains_that_are_not_there(tmp_path: Path) -> None:
    contract = {"type": "smartcontract", "address": facts.TOKEN, "abi": ABI}
    async with Shop.open(tmp_path, answer) as shop:
        for file in (
            {"type": "ipfs", "hash": "Qm"},
            {"type": "arweave", "transactionId": "x"},
            contract,
            {**contract, "chainId": 1},
        ):
            (entry,) = (await shop.info(**file)).json()
            assert without_reason(entry) == {"index": 0, "type": file["type"], "valid": False}


async def test_user_data_of_each_type(shop: Shop) -> None:
    given = {"unit": "mm", "n": 0, "on": False, "none": None, "list": [1, 2]}
    contract = {"type": "smartcontract", "address": facts.TOKEN, "abi": {**ABI, "inputs": TWO_INPUTS}, "chainId": 8996}
    for userdata in (given, json.dumps(given)):
        await shop.info(**shop.file("/echo?a=1"), userdata=userdata)
        assert shop.server.requests[-1].target == "/echo?a=1&unit=mm&n=0&on=False&list=1&list=2"
        await shop.info(shop.publish(shop.file("/echo", method="POST")), userdata=userdata)
        assert json.loads(shop.server.requests[-1].body) == given
        await shop.info(type="ipfs", hash="Qm", userdata=userdata)
        assert shop.server.requests[-1].target.startswith("/ipfs/Qm?unit=mm&")
        await shop.info(shop.publish(graphql(shop)), userdata=userdata)
        assert json.loads(shop.server.requests[-1].body) == {"query": "{x}", "variables": given}
    called = {"who": facts.TOKEN.lower(), "n": 0}
    (entry,) = (await shop.info(shop.publish(contract), userdata=called, checksum=True)).json()
    assert entry["checksum"] == sha256(json.dumps([facts.TOKEN, 0]).encode()), "the arguments in order"
    for userdata, text in (
        (None, "Missing parameters"),
        ({"who": facts.TOKEN}, "Missing userparams: n"),
        ({"x": 1}, "Missing userparams: who,n"),
        ({"who": "0x1", "n": 1}, "Invalid userparams: who"),
        ({"who": facts.TOKEN, "n": "x"}, "Invalid userparams: n"),
    ):
        refused = await shop.info(**contract, userdata=userdata)
        assert (refused.status_code, refused.json()) == (400, {"error": text})


async def test_user_data_that_is_no_json(shop: Shop) -> None:
    """ocean.js cuts texts off. Where parameters are optional they then count as none; elsewhere they are refused."""
    for file in (shop.file("/echo"), {"type": "ipfs", "hash": "Qm"}, {"type": "arweave", "transactionId": "x"}):
        (entry,) = (await shop.info(**file, userdata='{"unit":"mm ')).json()
        assert entry["valid"] is True
        assert "?" not in shop.server.requests[-1].target
    contract = {"type": "smartcontract", "address": facts.TOKEN, "abi": {**ABI, "inputs": TWO_INPUTS}, "chainId": 8996}
    for file in ({"type": "graphql", "url": shop.url + "/graphql", "query": "{x}"}, contract):
        refused = await shop.info(**file, userdata='{"unit":"mm ')
        assert (refused.status_code, refused.json()) == (400, {"error": "userdata is not JSON."})


async def test_what_a_publisher_asks_of_consumers(shop: Shop) -> None:
    """Defaults are filled in. Nothing is demanded: ocean.py looks at the files before anybody tells it anything."""
    unit = {"name": "unit", "type": "text", "required": False, "default": "mm"}
    station = {"name": "station", "type": "text", "required": True}
    for asked, userdata, target in (
        ([unit], None, "/echo?unit=mm"),
        ([unit], {"unit": "in"}, "/echo?unit=in"),
        ([unit, station], {"station": "north"}, "/echo?station=north&unit=mm"),
        ([unit, station], {"x": 1}, "/echo?x=1"),
        ([unit, station], None, "/echo"),
    ):
        did = shop.publish(shop.file("/echo"), service={"consumerParameters": asked})
        assert (await shop.info(did, userdata=userdata)).json()[0]["valid"] is True
        assert shop.server.requests[-1].target == target


async def test_nobody_questions_the_data_of_a_compute_service(shop: Shop) -> None:
    """Length and checksum of answers to one's own questions would tell what is in there."""
    unit = {"name": "unit", "type": "text", "required": False, "default": "mm"}
    for asked, target in (([], "/echo"), ([unit], "/echo?unit=mm")):
        service = {"type": "compute", "compute": {}, "consumerParameters": asked}
        did = shop.publish(shop.file("/echo"), service=service)
        (entry,) = (await shop.info(did, userdata={"where": "name='Ann'", "unit": "x"}, checksum=True)).json()
        assert entry["checksum"] == sha256(target.encode())
        assert shop.server.requests[-1].target == target


# --- what stays hidden, who is not asked -----------------------------------------------------------------------------


async def test_names_of_published_files(shop: Shop) -> None:
    """Who knows a CID has the file, and the last part of some addresses is a key."""
    files = [
        shop.file("/rain.csv?sig=secret"),
        shop.file("/large"),
        {"type": "ipfs", "hash": "QmSecret"},
        {"type": "arweave", "transactionId": "Secret"},
    ]
    told = await shop.info(shop.publish(*files))
    assert [entry["filename"] for entry in told.json()] == ["rain.csv", "", "", ""]
    assert "ecret" not in told.text


PRIVATE = [
    "http://127.0.0.1:{other}/rain.csv",
    "http://localhost:{port}/rain.csv",
    "http://2130706433:{port}/rain.csv",
    "http://0x7f000001:{port}/rain.csv",
    "http://[::1]:{port}/rain.csv",
    "http://[::ffff:127.0.0.1]:{port}/rain.csv",
    "http://100.64.0.1/rain.csv",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/rain.csv",
    "http://metadata.internal/x",
]


@pytest.mark.parametrize("url", PRIVATE)
async def test_private_addresses_are_not_reached(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the very host and port that the operator has allowed; redirects and names obey as well."""

    async def resolve(host: str, port: int) -> list[str]:
        return {"metadata.internal": ["169.254.169.254"], "localhost": ["127.0.0.1"]}[host]

    defaults = OutgoingGuard.__init__.__kwdefaults__
    monkeypatch.setattr(OutgoingGuard.__init__, "__kwdefaults__", {**defaults, "resolve": resolve})
    target = {"url": ""}

    def redirect(request: Request) -> Reply:
        return Reply(302, b"", {"location": target["url"]})

    async with Shop.open(tmp_path / "a", answer) as other, Shop.open(tmp_path / "b", redirect) as shop:
        forbidden = url.format(port=shop.server.port, other=other.server.port)
        of_a_stranger = (await shop.info(type="url", url=f"http://127.0.0.1:{shop.server.port}/rain.csv")).json()
        refused = [*map(without_reason, of_a_stranger)]
        assert refused == [{"index": 0, "type": "url", "valid": False}], "allowed for what is published only"
        assert shop.server.requests == []
        (entry,) = (await shop.info(type="url", url=forbidden)).json()
        assert without_reason(entry) == {"index": 0, "type": "url", "valid": False}
        assert shop.server.requests == []
        target["url"] = forbidden
        (entry,) = (await shop.info(**shop.file("/redirect"))).json()
        assert without_reason(entry) == {"index": 0, "type": "url", "valid": False}
        assert len(shop.server.requests) == 1
        assert other.server.connections == 0


async def test_a_chain_that_is_away(shop: Shop) -> None:
    did = shop.publish(shop.file())
    world: World = shop.world
    world.chain.away = True
    refused = await shop.info(did)
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
