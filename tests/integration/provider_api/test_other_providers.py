"""What we ask another provider, and what we make of its answers, honest or not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ocean.ddo import DDO, Service
from ocean.fees import make_quote
from ocean.keys import address_of
from ocean.outgoing import OutgoingGuard
from provider_api.access import other_providers
from provider_api.access.other_providers import OtherProvider, OtherProviders, base_of
from provider_api.keys import keys_of
from provider_api.settings import OutgoingSettings, ServerSettings, Settings
from provider_api.strangers.asking import OutgoingPools
from tests.support import provider_facts as facts
from tests.support.chain import stranger
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.provider_neighbours import PROVIDER_KEY

pytestmark = pytest.mark.integration

OURS = keys_of(PROVIDER_KEY)
THEIR_KEY = bytes(stranger.key)
THEIRS = address_of(THEIR_KEY)
CHAIN = 8996
DIGEST = "ab" * 32
Answers = dict[str, Any]


def service(**changes: Any) -> Service:
    ddo = DDO.parse(facts.document(facts.did(1), service={"type": "access", **changes}))
    found = ddo.service(changes.get("id", "svc"))
    assert found is not None
    return found


def quote(**changes: Any) -> dict[str, Any]:
    key = changes.pop("key", THEIR_KEY)
    details: dict[str, Any] = {
        "environment": None,
        "datatoken": facts.TOKEN,
        "service_id": "svc",
        "fee_token": facts.NFT,
        "amount": 5,
        "valid_until": 0,
        "now": time.time(),
    }
    return make_quote(key, **(details | changes)).to_json()


def entry(index: int = 0, **changes: Any) -> dict[str, Any]:
    return {"index": index, "type": "url", "valid": True, "checksum": DIGEST, "checksumType": "sha256"} | changes


def answers(**changes: Any) -> Answers:
    """By path. A document is sent as JSON, bytes as they are, a Reply whole."""
    return {
        "/": {"providerAddresses": {str(CHAIN): THEIRS}},
        "/api/services/fileinfo": [entry(0), entry(1)],
        "/api/services/initialize": {"datatoken": facts.TOKEN, "nonce": "1", "providerFee": quote()},
    } | changes


class Other:
    """The other provider, and our side of the talk."""

    def __init__(self, server: HttpServer, ours: OtherProviders, said: Answers) -> None:
        self.server, self.ours, self.said = server, ours, said

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.server.requests if urlsplit(request.target).path == path]

    async def find(self, suffix: str = "", chain_id: int = CHAIN) -> OtherProvider | None:
        return await self.ours.find(self.url + suffix, chain_id)

    async def found(self) -> OtherProvider:
        provider = await self.find()
        assert provider is not None
        return provider


@asynccontextmanager
async def opened(
    said: Answers | None = None, own: Callable[[str], tuple[str, ...]] = lambda _: (), **settings: Any
) -> AsyncIterator[Other]:
    said = answers() if said is None else said

    def handler(request: Request) -> Reply:
        found = said.get(urlsplit(request.target).path)
        if found is None:
            return Reply(404)
        if isinstance(found, Reply):
            return found
        return Reply(body=found if isinstance(found, bytes) else json.dumps(found).encode())

    async with HttpServer(handler) as server:
        guard = OutgoingGuard([f"127.0.0.1:{server.port}"])
        public = own(f"http://127.0.0.1:{server.port}")
        made = Settings(server=ServerSettings(public_urls=public), outgoing=OutgoingSettings(**settings))
        async with guard.client() as client:
            yield Other(server, OtherProviders(made, OURS, OutgoingPools.single(client)), said)


# --- who it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "/", "/api/services", "/api/services/"])
async def test_a_provider_by_its_endpoint(suffix: str) -> None:
    async with opened() as other:
        assert await other.find(suffix) == OtherProvider(
            THEIRS,
            download=f"{other.url}/api/services/download",
            nonce=f"{other.url}/api/services/nonce",
            fileinfo=f"{other.url}/api/services/fileinfo",
            initialize=f"{other.url}/api/services/initialize",
        )


async def test_paths_come_from_its_root_document() -> None:
    endpoints = {
        "download": ["GET", "/x/get"],
        "nonce": ["GET", "x/nonce/"],
        "fileinfo": ["POST", "//elsewhere.example/files"],
        "initialize": ["GET", "@elsewhere.example/"],
    }
    async with opened(
        answers(**{"/": {"providerAddresses": {"8996": THEIRS}, "serviceEndpoints": endpoints}})
    ) as other:
        provider = await other.found()
        assert provider.download == f"{other.url}/x/get"
        assert provider.nonce == f"{other.url}/x/nonce"
        assert provider.fileinfo == f"{other.url}/elsewhere.example/files", "the same host, whatever it says"
        assert provider.initialize == f"{other.url}/@elsewhere.example"


@pytest.mark.parametrize(
    "entry",
    [
        None,
        5,
        [],
        ["GET"],
        ["GET", ""],
        ["GET", "/"],
        ["GET", 5],
        ["GET", "/x" * 2000],
        ["GET", "/\ud800"],
        ["GET", "/\u00fc"],
    ],
)
async def test_odd_paths_are_the_usual_ones(entry: Any) -> None:
    root = {"providerAddresses": {"8996": THEIRS}, "serviceEndpoints": {"download": entry}}
    async with opened(answers(**{"/": root})) as other:
        assert (await other.found()).download == f"{other.url}/api/services/download"


@pytest.mark.parametrize(
    "root",
    [
        b"<html>",
        b"[" * 60_000,
        b" " * 70_000 + b"{}",
        [],
        {},
        {"providerAddresses": []},
        {"providerAddresses": {"1": THEIRS}},
        {"providerAddresses": {"8996": "0x1"}},
        {"providerAddresses": {"8996": 5}},
        {"providerAddresses": {"8996": "0x" + "0" * 40}},
        Reply(503),
        Reply(302, headers={"location": "http://elsewhere.example/"}),
    ],
    ids=range(12),
)
async def test_not_a_provider_of_this_chain(root: Any) -> None:
    async with opened(answers(**{"/": root})) as other:
        assert await other.find() is None


async def test_whoever_names_our_address_is_ourselves() -> None:
    root = {"providerAddresses": {"8996": OURS.address.lower()}}
    async with opened(answers(**{"/": root})) as other:
        assert await other.find() is None


@pytest.mark.parametrize("spelled", ["{}", "{}/", "{}/api/services", "{}/api/services/"])
async def test_our_own_address_is_never_asked(spelled: str) -> None:
    async with opened(own=lambda url: (spelled.format(url),)) as other:
        for suffix in ("", "/", "/api/services/"):
            assert await other.find(suffix) is None
        assert other.server.requests == []


NO_ADDRESSES = ["", "nonsense", "ftp://a.example", "http://", "http://u:p@a.example", "http://a.example/?x=1"]


@pytest.mark.parametrize("endpoint", [*NO_ADDRESSES, "http://a.example/#b", "http://" + "a" * 3000])
def test_endpoints_that_are_none(endpoint: str) -> None:
    assert base_of(endpoint) is None


@pytest.mark.parametrize("endpoint", [*NO_ADDRESSES, "http://[", "http://a.example:99999", "http://2130706433"])
async def test_endpoints_that_nobody_has(endpoint: str) -> None:
    async with opened() as other:
        assert await other.ours.find(endpoint, CHAIN) is None


async def test_private_addresses_stay_closed() -> None:
    async with opened() as other, HttpServer(lambda _: Reply(body=b"{}")) as private:
        assert await other.ours.find(f"http://127.0.0.1:{private.port}", CHAIN) is None
        assert private.requests == []


async def test_it_is_remembered_and_asked_once() -> None:
    async with opened() as other:
        found = await asyncio.gather(*(other.find() for _ in range(20)))
        assert len({provider is not None for provider in found}) == 1
        await other.find("/api/services")
        assert await other.find(chain_id=5) is None
        assert len(other.asked("/")) == 1


async def test_an_absence_is_remembered_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    said = answers(**{"/": Reply(503)})
    async with opened(said) as other:
        monkeypatch.setattr(other_providers, "FAILED_SECONDS", 2)
        assert await other.find() is None
        said["/"] = answers()["/"]
        assert await other.find() is None
        assert len(other.asked("/")) == 1
        async with asyncio.timeout(60):
            while await other.find() is None:
                await asyncio.sleep(0.05)


async def test_a_silent_one_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> AsyncIterator[bytes]:
        await asyncio.sleep(3600)
        yield b"{}"

    monkeypatch.setattr(other_providers, "ROOT_SECONDS", 0.2)
    async with opened(answers(**{"/": Reply(body=silent(), length=2)})) as other, asyncio.timeout(60):
        assert await other.find() is None


# --- its files -------------------------------------------------------------------------------------------------------


async def told(other: Other, wanted: bool = True, **userdata: Any) -> tuple[str | None, ...] | None:
    return await other.ours.digests(await other.found(), facts.did(1), "svc", userdata, wanted=wanted)


async def test_files_and_checksums() -> None:
    async with opened() as other:
        assert await told(other, year=2020) == (DIGEST, DIGEST)
        (request,) = other.asked("/api/services/fileinfo")
        assert json.loads(request.body) == {
            "did": facts.did(1),
            "serviceId": "svc",
            "checksum": True,
            "userdata": {"year": 2020},
        }


async def test_checksums_are_asked_for_where_they_are_needed() -> None:
    """A dataset may be large."""
    async with opened() as other:
        await told(other, wanted=False)
        assert json.loads(other.asked("/api/services/fileinfo")[0].body) == {"did": facts.did(1), "serviceId": "svc"}


@pytest.mark.parametrize(
    ("listed", "digests"),
    [
        ([entry(checksum=DIGEST.upper())], (DIGEST,)),
        ([{"index": 0, "valid": True}], (None,)),
        ([entry(checksumType="md5")], (None,)),
        ([entry(checksum="ab")], (None,)),
        ([entry(checksum=5)], (None,)),
        ([], None),
        ({}, None),
        ({"error": "no"}, None),
        ([5], None),
        ([entry(), entry(1, valid=False)], None),
        ([entry(valid="true")], None),
        ([entry(0), entry(0)], None),
        ([entry(1)], None),
        ([entry(index) for index in range(1001)], None),
        (b"{", None),
        (Reply(400), None),
        (b" " * (1024 * 1024 + 1), None),
    ],
    ids=range(17),
)
async def test_answers_about_files(listed: Any, digests: tuple[str | None, ...] | None) -> None:
    async with opened(answers(**{"/api/services/fileinfo": listed})) as other:
        assert await told(other) == digests


# --- its quotes ------------------------------------------------------------------------------------------------------


async def test_a_quote_for_the_environment() -> None:
    async with opened() as other:
        made = await other.ours.quote(await other.found(), facts.did(1), service(), facts.ENVIRONMENT_ADDRESS)
        assert made is not None
        assert (made.fee_address, made.fee_token, made.amount) == (THEIRS, facts.NFT, 5), "its own token and price"
        (request,) = other.asked("/api/services/initialize")
        assert parse_qs(urlsplit(request.target).query) == {
            "documentId": [facts.did(1)],
            "serviceId": ["svc"],
            "consumerAddress": [facts.ENVIRONMENT_ADDRESS],
        }


def altered(**changes: Any) -> dict[str, Any]:
    return {"datatoken": facts.TOKEN, "providerFee": quote() | changes}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"validOrder": "0x1"},
        {"datatoken": facts.TOKEN},
        {"datatoken": facts.NFT, "providerFee": quote()},
        {"datatoken": facts.TOKEN, "providerFee": quote(datatoken=facts.NFT)},
        {"datatoken": facts.TOKEN, "providerFee": quote(service_id="other")},
        {"datatoken": facts.TOKEN, "providerFee": quote(key=PROVIDER_KEY)},
        altered(providerFeeAddress=OURS.address),
        altered(providerFeeAmount="6"),
        altered(providerFeeAmount=-1),
        altered(v=0),
        altered(providerData="0x7b"),
        Reply(400, b'{"error":"no"}'),
    ],
    ids=range(14),
)
async def test_quotes_that_are_not_passed_on(answer: Any) -> None:
    async with opened(answers(**{"/api/services/initialize": answer})) as other:
        provider = await other.found()
        assert await other.ours.quote(provider, facts.did(1), service(), facts.ENVIRONMENT_ADDRESS) is None
