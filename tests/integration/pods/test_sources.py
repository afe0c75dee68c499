"""Files of another provider, as the environment fetches them: signed, with nonces that others may have overtaken."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, urlsplit

import pytest

from contract.job_spec import ProviderSource
from ocean.keys import address_of
from ocean.outgoing import OutgoingGuard
from ocean.signing import download_message, recover
from pods.configuration import download as downloads
from pods.configuration.download import ByteBudget, DownloadFailed, download
from pods.configuration.downloads import Download
from pods.configuration.sources import Sources
from tests.support.chain import environment
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.lanes import size

pytestmark = pytest.mark.integration

KEY = bytes(environment.key)
DID = "did:op:" + "1" * 64
CONTENT = b"day,mm\n1,3\n"


class Provider:
    """Another provider with strict nonces. `refuses`: its answer to every download instead."""

    def __init__(self) -> None:
        self.stored = "1"
        self.refuses: tuple[int, str] | None = None
        self.seen: list[dict[str, str]] = []
        self.when_asked: Callable[[], None] = lambda: None  # before a download's nonce is judged

    def __call__(self, request: Request) -> Reply:
        parts = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/nonce":
            return Reply(body=json.dumps({"nonce": self.stored}).encode())
        assert recover(download_message(query["documentId"], query["nonce"]), query["signature"]) == address_of(KEY)
        self.seen.append(query)
        self.when_asked()
        if self.refuses is not None:
            status, text = self.refuses
            return Reply(status, text.encode())
        if Decimal(query["nonce"]) <= Decimal(self.stored):
            text = f"Invalid signature expected nonce ({self.stored}) > current nonce ({query['nonce']})."
            return Reply(400, json.dumps({"errors": {"signature": text}}).encode())
        self.stored = query["nonce"]
        return Reply(body=CONTENT)


def source(port: int, index: int = 0) -> ProviderSource:
    base = f"http://127.0.0.1:{port}"
    return ProviderSource(
        download=f"{base}/download",
        nonce=f"{base}/nonce",
        did=DID,
        service_id="svc",
        tx="0x" + "2" * 64,
        index=index,
        userdata={"year": 2020},
    )


async def fetch(provider: Provider, folder: Path, files: int = 1, pods: int = 1) -> list[bytes]:
    """Each pod's files, side by side."""
    async with HttpServer(provider) as server:
        guard = OutgoingGuard([f"127.0.0.1:{server.port}"])
        budget = ByteBudget(10**6, folder)
        async with guard.client() as client:
            opened = [Sources(client, KEY) for _ in range(pods)]
            places = [
                (sources, index, folder / f"{pod}-{index}")
                for pod, sources in enumerate(opened)
                for index in range(files)
            ]
            await asyncio.gather(
                *(
                    download(
                        sources,
                        Download(f"file {index}", PurePosixPath(target.name), source(server.port, index)),
                        target,
                        budget,
                        attempts=2,
                    )
                    for sources, index, target in places
                )
            )
    return [target.read_bytes() for _, _, target in places]


async def test_a_download_is_signed_for_this_file(tmp_path: Path) -> None:
    provider = Provider()
    before = time.time_ns()
    assert await fetch(provider, tmp_path) == [CONTENT]
    (query,) = provider.seen
    assert before <= int(query.pop("nonce")) <= time.time_ns()
    query.pop("signature")
    assert query == {
        "documentId": DID,
        "serviceId": "svc",
        "fileIndex": "0",
        "transferTxId": "0x" + "2" * 64,
        "consumerAddress": address_of(KEY),
        "userdata": '{"year":2020}',
    }


async def test_files_of_one_pod_do_not_overtake_each_other(tmp_path: Path) -> None:
    provider = Provider()
    assert await fetch(provider, tmp_path, files=8) == [CONTENT] * 8
    assert len(provider.seen) == 8


async def test_several_pods_of_one_environment(tmp_path: Path) -> None:
    """Each has a memory of its own, and all use one account."""
    assert await fetch(Provider(), tmp_path, files=3, pods=4) == [CONTENT] * 12


async def test_many_pods_at_once(tmp_path: Path) -> None:
    pods = size(test=60, soak=200)
    assert await fetch(Provider(), tmp_path, pods=pods) == [CONTENT] * pods


@pytest.mark.parametrize("ahead", ["9" * 25, "9" * 25 + ".5"])
async def test_a_clock_that_runs_ahead(tmp_path: Path, ahead: str) -> None:
    """Somebody has used a nonce far ahead of our clock: the next one follows it."""
    provider = Provider()
    provider.stored = ahead
    assert await fetch(provider, tmp_path) == [CONTENT]
    assert Decimal(provider.stored) > Decimal(ahead)
    assert len(provider.seen) == 1


async def test_what_a_refusal_tells_is_used(tmp_path: Path) -> None:
    """Overtaken between the question for the nonce and the download, by a clock that runs ahead."""
    provider, ahead = Provider(), 9 * 10**24

    def overtake() -> None:
        if len(provider.seen) == 1:
            provider.stored = str(ahead)

    provider.when_asked = overtake
    assert await fetch(provider, tmp_path) == [CONTENT]
    assert [int(query["nonce"]) for query in provider.seen][1:] == [ahead + 1]


async def test_other_refusals_are_final(tmp_path: Path) -> None:
    provider = Provider()
    provider.refuses = 400, '{"error":"Provider Ganache: Order with tx_id 0x2 could not be validated"}'
    with pytest.raises(DownloadFailed) as failed:
        await fetch(provider, tmp_path)
    assert (failed.value.transient, failed.value.cause, len(provider.seen)) == (False, "status 400", 1)


async def test_nobody_is_asked_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "FIRST_PAUSE_SECONDS", 0.001)
    provider = Provider()
    provider.refuses = 400, "expected nonce (7)"
    with pytest.raises(DownloadFailed) as failed:
        await fetch(provider, tmp_path)
    assert failed.value.transient
    assert failed.value.cause.startswith("nonce 400, after ")
    assert len(provider.seen) == downloads.OVERTAKEN_TRIES + 2


async def test_one_provider_says_nothing_about_anothers_nonces(tmp_path: Path) -> None:
    """Or it could make the environment use up the other's nonces once and for all."""
    ours, boasting = Provider(), Provider()
    boasting.stored = str(10**29)
    async with HttpServer(ours) as first, HttpServer(boasting) as second:
        guard = OutgoingGuard([f"127.0.0.1:{first.port}", f"127.0.0.1:{second.port}"])
        async with guard.client() as client:
            sources = Sources(client, KEY)
            for port in (second.port, first.port):
                item = Download("file", PurePosixPath("0"), source(port))
                await download(sources, item, tmp_path / str(port), ByteBudget(100, tmp_path), attempts=1)
    assert int(boasting.stored) == 10**29 + 1
    assert int(ours.stored) < 2 * time.time_ns()


async def test_a_redirect_takes_the_signature_nowhere_else(tmp_path: Path) -> None:
    async with HttpServer(lambda _: Reply(body=CONTENT)) as elsewhere:
        target = f"http://127.0.0.1:{elsewhere.port}/"

        def handler(request: Request) -> Reply:
            return Reply(302, headers={"location": target})

        async with HttpServer(handler) as server:
            guard = OutgoingGuard([f"127.0.0.1:{server.port}", f"127.0.0.1:{elsewhere.port}"])
            async with guard.client() as client:
                item = Download("file", PurePosixPath("0"), source(server.port))
                with pytest.raises(DownloadFailed, match="redirects"):
                    await download(Sources(client, KEY), item, tmp_path / "0", ByteBudget(100, tmp_path), attempts=1)
        assert elsewhere.requests == []
