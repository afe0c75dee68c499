"""What the result store says to a Kubo node and what it is told, recorded from a real node, to be played where none is.

tests/recordings/kubo.json: `kubo`, its version; `exchanges` in order: method, target, `sent` (bytes of the file in the
request; what they are is never the same, because they are sealed), status, headers that say how the body is sent, body
in base64.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import pytest

from results import ipfs as kubo
from results.sealed import CHUNK, HEADER, SEALED_CHUNK, Opened
from results.store import ResultMissing, StoreUnavailable, delete_job, open_store, put_object, stream_object
from tests.support.http_server import Request
from tests.support.published import JOB_ID, SERVICE
from tests.support.replay import RECORDINGS

FILE = RECORDINGS / "kubo.json"
FOLDER, IN_THE_WAY = "/recorded/jobs", "/recorded/no-folder"  # the second one is a file
CONTENT = bytes(number * 31 % 251 for number in range(CHUNK + 500))
OBJECT, SMALL = f"{JOB_ID}/{'0a' * 16}", f"{JOB_ID}/manifest.json"
TOKEN = "Bearer of-the-recording"
_HEADERS = ("content-type", "trailer", "transfer-encoding", "x-stream-output")


@dataclass(frozen=True)
class Exchange:
    method: str
    target: str
    sent: int | None
    status: int
    headers: dict[str, str]
    body: str  # base64

    def like(self) -> tuple[Any, ...]:
        """What is the same every time: of sealed contents the length, of the others all but identifiers of contents."""
        body = base64.b64decode(self.body)
        told: Any = len(body)
        if self.headers.get("content-type") == "application/json":
            told = json.loads(body or b"null")
            if isinstance(told, dict):
                told.pop("Hash", None)
                told.pop("Cid", None)
        return (self.method, self.target, self.sent, self.status, self.headers, told)

    def as_sent(self) -> bytes:
        """The answer as it was on the wire: in chunks, with nothing in the trailer that it announces."""
        body = base64.b64decode(self.body)
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in self.headers.items())]
        lines.append("connection: close")
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:1000], body[1000:]) if piece)
        return "\r\n".join([*lines, "", ""]).encode() + chunks + b"0\r\n\r\n"


def load() -> list[Exchange]:
    return [Exchange(**one) for one in json.loads(FILE.read_text())["exchanges"]]


def save(version: str, exchanges: Sequence[Exchange]) -> None:
    document = {"kubo": version, "exchanges": [asdict(one) for one in exchanges]}
    FILE.write_text(json.dumps(document, indent=1) + "\n")


class Recorder:
    """A handler that passes requests on to a node."""

    def __init__(self, node_url: str) -> None:
        self._url = node_url
        self.exchanges: list[Exchange] = []

    def __call__(self, request: Request) -> bytes:
        headers = {name: value for name, value in request.headers.items() if name in ("content-type", "content-length")}
        answer = httpx.request(
            request.method, self._url + request.target, headers=headers, content=request.body, trust_env=False
        )
        sent = len(file_in(request)) if request.body else None
        told = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
        body = base64.b64encode(answer.content).decode()
        exchange = Exchange(request.method, request.target, sent, answer.status_code, told, body)
        self.exchanges.append(exchange)
        return exchange.as_sent()


class Player:
    """A handler that gives the recorded answers, one after the other, to exactly the recorded requests."""

    def __init__(self) -> None:
        self._waiting = load()
        self.unlike: list[str] = []

    def __call__(self, request: Request) -> bytes:
        exchange = self._waiting.pop(0)
        sent = len(file_in(request)) if request.body else None
        if (request.method, request.target, sent) != (exchange.method, exchange.target, exchange.sent):
            self.unlike.append(f"{request.method} {request.target} {sent} instead of {exchange}"[:1000])
        return exchange.as_sent()

    @property
    def all_played(self) -> bool:
        return not self._waiting


def file_in(request: Request) -> bytes:
    """The content of the one file in a form."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    before, file, after = request.body.split(b"--" + boundary)
    assert (before, after) == (b"", b"--\r\n")
    return file.partition(b"\r\n\r\n")[2][:-2]


async def speak(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is ever said to a node. `url` is the recorder's or the player's."""
    monkeypatch.setattr(kubo, "PART_PIECES", 2)  # an object of two parts
    keys: dict[str, Any] = {"seal_for": SERVICE.public_key, "key": SERVICE, "retry_timeout_seconds": 0}
    store = open_store(f"ipfs+{url}{FOLDER}", {"authorization": TOKEN}, **keys)

    async def read(key: str, start: int = 0, end: int | None = None) -> bytes:
        return b"".join([piece async for piece in stream_object(store, key, start=start, end=end)])

    await asyncio.to_thread(put_object, store, OBJECT, [CONTENT], most=len(CONTENT))
    await asyncio.to_thread(put_object, store, SMALL, [b"{}"], most=2)
    assert await read(OBJECT) == CONTENT
    assert await read(OBJECT, CHUNK + 10, CHUNK + 20) == CONTENT[CHUNK + 10 : CHUNK + 20]
    assert await read(SMALL) == b"{}"
    with pytest.raises(ResultMissing):
        await read(f"{JOB_ID}/missing")
    await delete_job(store, JOB_ID)
    await delete_job(store, JOB_ID)
    with pytest.raises(ResultMissing):
        await read(OBJECT)
    wrong = open_store(f"ipfs+{url}{IN_THE_WAY}", {"authorization": TOKEN}, **keys)
    with pytest.raises(StoreUnavailable, match="not removed"):
        await delete_job(wrong, JOB_ID)


def opened(parts: Sequence[bytes], key: str) -> bytes:
    """The content of an object that was sent in parts."""
    whole = b"".join(parts)
    found = Opened.of(whole[:HEADER], len(whole), SERVICE, key)
    chunks = [whole[at : at + SEALED_CHUNK] for at in range(HEADER, len(whole), SEALED_CHUNK)]
    return b"".join(found.open_chunk(number, chunk) for number, chunk in enumerate(chunks))
