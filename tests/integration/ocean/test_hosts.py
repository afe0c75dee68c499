"""Hosts with habits: whatever they do, a file arrives whole and right, or there is an error that says what happened."""

from __future__ import annotations

import asyncio
import hashlib
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.job_spec import UrlSource
from ocean.files import UrlFile
from ocean.files.requests import Fetch
from ocean.outgoing import OutgoingClient, OutgoingFailed, OutgoingGuard, OutgoingRefused
from ocean.outgoing import errors as outgoing_errors
from pods.configuration import download as pods_download
from pods.configuration.download import ByteBudget, DownloadFailed, download
from pods.configuration.downloads import Download
from pods.configuration.sources import Sources
from provider_api.files.checksums import Asked, FileChecksums
from provider_api.settings import OutgoingSettings
from provider_api.strangers.asking import OutgoingPools
from tests.support.hosts import CLOSED, CODINGS, Framing, Habit, Host
from tests.support.http_server import HttpServer, Reply

pytestmark = pytest.mark.integration

OLD, NEW = random.Random(1).randbytes(40_000), random.Random(2).randbytes(30_000)  # noqa: S311
FRAMINGS: tuple[Framing, ...] = get_args(Framing)
UNBOUNDED = ("close", "HTTP/1.0")  # their end is the connection's
REASONS = {*get_args(outgoing_errors.FailureReason), *get_args(outgoing_errors.RefusalReason)}


def client_of(host: Host) -> OutgoingClient:
    return OutgoingGuard([host.address]).client()


def hurried(host: Host) -> OutgoingClient:
    """For hosts that may hang."""
    return OutgoingGuard([host.address]).client(read_seconds=0.3, open_seconds=2.0)


async def streamed(client: OutgoingClient, host: Host) -> bytes:
    async with client.stream(UrlFile(host.url)) as opened:
        return b"".join([chunk async for chunk in opened.chunks()])


async def handed_on(client: OutgoingClient, host: Host) -> bytes:
    """As a consumer's download gets it: what is announced is what comes."""
    async with client.fetch(UrlFile(host.url)) as opened:
        content = b"".join([chunk async for chunk in opened.chunks()])
        assert opened.end in (None, len(content))
        return content


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("coding", [None, *CODINGS])
async def test_every_framing_and_coding(framing: Framing, coding: str | None) -> None:
    for content in (OLD, b"day,mm\n", b""):
        async with Host([content], [Habit(framing=framing, coding=coding)]) as host, client_of(host) as client:
            assert await streamed(client, host) == content
            assert await handed_on(client, host) == content


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_what_follows_the_end_is_not_of_the_file(framing: Framing) -> None:
    if framing in UNBOUNDED:
        return
    habit = Habit(framing=framing, trailing=b"HTTP/1.1 200 OK\r\n\r\nmore")
    async with Host([OLD], [habit]) as host, client_of(host) as client:
        for _ in range(2):  # nor of the next one
            assert await streamed(client, host) == OLD


@pytest.mark.parametrize("coding", CLOSED)
async def test_only_a_packing_that_we_cannot_open_is_an_error(coding: str) -> None:
    async with Host([OLD], [Habit(coding=coding)]) as host, client_of(host) as client:
        with pytest.raises(OutgoingFailed) as caught:
            await streamed(client, host)
        assert caught.value.reason == "encoding"


async def test_an_empty_packing_is_an_empty_file() -> None:
    """Some servers announce gzip for a file without bytes, and send none."""
    for coding in ("gzip", "deflate", "gzip, gzip"):
        reply = Reply(200, b"", {"content-encoding": coding})
        async with (
            HttpServer(lambda request, reply=reply: reply) as server,  # type: ignore[misc]
            OutgoingGuard([f"127.0.0.1:{server.port}"]).client() as client,
            client.stream(UrlFile(f"http://127.0.0.1:{server.port}/x")) as opened,
        ):
            assert [chunk async for chunk in opened.chunks()] == []


# --- sequences of habits ---------------------------------------------------------------------------------------------


@st.composite
def habits(draw: st.DrawFn) -> Habit:
    framing = draw(st.sampled_from(FRAMINGS))
    faults = ["", "", "reset", "hang", "drip", "hang before"] + ([] if framing in UNBOUNDED else ["cut"])
    return Habit(
        status=draw(st.sampled_from([200] * 8 + [301, 302, 307, 308, 500, 503])),
        framing=framing,
        coding=draw(st.sampled_from([None, None, None, *CODINGS, "br"])),
        ranges=draw(st.sampled_from(["obeys", "obeys", "ignores", "wrong", "416"])),
        etag=draw(st.sampled_from(["strong", "strong", "weak", "none", "date"])),
        fault=draw(st.sampled_from(faults)),  # type: ignore[arg-type]
        after=draw(st.integers(0, 40_000)),
        version=draw(st.integers(0, 1)),
    )


SEQUENCES = st.lists(habits(), min_size=1, max_size=5)
GENERATED = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@GENERATED
@given(SEQUENCES)
def test_a_file_is_delivered_whole_and_right_or_not_at_all(sequence: Sequence[Habit]) -> None:
    """In one call, and as it is handed on to a consumer."""

    async def run() -> None:
        async with Host([OLD, NEW], sequence) as host, hurried(host) as client:
            for ask in (streamed, handed_on):
                try:
                    content = await ask(client, host)
                except (OutgoingFailed, OutgoingRefused) as exc:
                    reason: str = exc.reason
                else:
                    assert content in (OLD, NEW)
                    continue
                assert reason in REASONS
            assert client.calls_under_way == 0
            assert {request.method for request in host.requests} <= {"GET"}

    asyncio.run(run())


@GENERATED
@given(SEQUENCES, st.booleans())
def test_a_pod_resumes_without_mixing_versions(sequence: Sequence[Habit], known: bool) -> None:
    async def run(folder: Path) -> None:
        async with Host([OLD, NEW], sequence) as host, hurried(host) as client:
            digest = hashlib.sha256(OLD).hexdigest() if known else None
            item = Download("file 0", PurePosixPath("0"), UrlSource(url=host.url), digest)
            budget = ByteBudget(10_000_000, folder)
            try:
                await download(Sources(client, None), item, folder / "0", budget, attempts=3)
            except DownloadFailed as exc:
                told = str(exc)
            else:
                assert (folder / "0").read_bytes() in ((OLD,) if known else (OLD, NEW))
                return
            assert host.address not in told

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(pods_download, "FIRST_PAUSE_SECONDS", 0.001)
        asyncio.run(run(Path(folder)))


@GENERATED
@given(SEQUENCES)
def test_a_checksum_is_right_or_refused(sequence: Sequence[Habit]) -> None:
    """Also of a host that has been good before: what is known of it may be asked again at any habit."""

    async def run() -> None:
        given: dict[str, Any] = {"timeout_seconds": 0.4, "checksum_seconds": 0}
        async with Host([OLD, NEW], [Habit(etag="strong")]) as host, hurried(host) as client:
            checksums = FileChecksums(OutgoingPools.single(client), OutgoingSettings(**given))
            asked = Asked(Fetch(host.url), 1_000_000, "0x1")
            for _ in range(20):  # a machine under load may miss the limit
                if (first := await checksums.of(asked)) is not None:
                    break
            assert first is not None
            host.goes_on_with(sequence)
            for _ in sequence:
                found = await checksums.of(asked)
                rights = {hashlib.sha256(content).hexdigest(): len(content) for content in (OLD, NEW)}
                assert found is None or rights[found.digest] == found.size

    asyncio.run(run())


async def test_a_source_that_hangs_after_it_has_told_a_tag() -> None:
    """The look whether a file is unchanged has a time limit of its own."""
    async with (
        Host([OLD], [Habit(), Habit(fault="hang before")]) as host,
        OutgoingGuard([host.address]).client() as client,
    ):
        limits = OutgoingSettings(timeout_seconds=2, checksum_seconds=0)
        checksums = FileChecksums(OutgoingPools.single(client), limits)
        asked = Asked(Fetch(host.url), 1_000_000, "0x1")
        assert await checksums.of(asked) is not None
        assert await checksums.of(asked) is None
