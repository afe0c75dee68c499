"""The result store against a recorded exchange with a Kubo node, everywhere; and the recording against a real node.

`RECORD_KUBO=1 pytest tests/integration/pods/test_kubo_recording.py` records anew.
"""

from __future__ import annotations

import json
import os
from urllib.parse import parse_qs, urlsplit

import pytest

from results.ipfs import folder_name
from results.sealed import CHUNK, HEADER, SEALED_CHUNK
from tests.support import kubo_recording as recording
from tests.support.http_server import HttpServer
from tests.support.kubo import Kubo
from tests.support.published import JOB_ID

pytestmark = pytest.mark.integration


async def test_the_recording_is_what_a_node_answers(kubo: Kubo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kubo.call("files/write", recording.IN_THE_WAY, content=b"x", create="true", parents="true").is_success
    recorder = recording.Recorder(kubo.url)
    async with HttpServer(recorder) as server:
        await recording.speak(f"http://127.0.0.1:{server.port}", monkeypatch)
    if os.environ.get("RECORD_KUBO"):
        recording.save(kubo.call("version").json()["Version"], recorder.exchanges)
    assert [one.like() for one in recorder.exchanges] == [one.like() for one in recording.load()]


async def test_the_store_says_and_understands_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    player = recording.Player()
    async with HttpServer(player) as server:
        await recording.speak(f"http://127.0.0.1:{server.port}", monkeypatch)
        assert player.unlike == []
        assert player.all_played
        assert {request.headers["authorization"] for request in server.requests} == {recording.TOKEN}
        writes = [request for request in server.requests if "/files/write?" in request.target]
    files = [recording.file_in(request) for request in writes]
    assert recording.opened(files[:2], recording.OBJECT) == recording.CONTENT
    assert recording.opened(files[2:], recording.SMALL) == b"{}"


def test_a_part_of_an_object_is_read_by_its_chunks_alone() -> None:
    asked = [
        {name: values[0] for name, values in parse_qs(urlsplit(one.target).query).items()}
        for one in recording.load()
        if "/files/read?" in one.target
    ]
    second, tag = 500, SEALED_CHUNK - CHUNK  # bytes of content in the second chunk
    # header, both chunks; header, the second chunk; header, the small object's one; of a missing one nothing
    assert [(int(one["offset"]), int(one["count"])) for one in asked] == [
        (0, HEADER),
        (HEADER, SEALED_CHUNK + second + tag),
        (0, HEADER),
        (HEADER + SEALED_CHUNK, second + tag),
        (0, HEADER),
        (HEADER, len(b"{}") + tag),
    ]
    assert {one["arg"].rpartition("/")[0] for one in asked} == {f"{recording.FOLDER}/{folder_name(JOB_ID)}"}


def test_the_recording_names_the_version() -> None:
    assert json.loads(recording.FILE.read_text())["kubo"].startswith("0.")
