"""IPFS as a result store: Kubo's RPC API. Objects are files of the node's own tree (MFS), and all are sealed.

What lies in IPFS can be fetched by everybody who knows, or is told by the network, its identifier; folders tell the
names of what is in them. So contents are sealed (`pods.sealed`), and objects have random names; a job's folder bears
the job's id, and how many results there are and how large is not hidden.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx
from nacl.public import PrivateKey, PublicKey

from pods.sealed import CHUNK, HEADER, SEALED_CHUNK, Opened, SealBroken, seal

SCHEMES: Final = {"ipfs+http": "http", "ipfs+https": "https"}
_TIMEOUT: Final = httpx.Timeout(120, connect=10)
_WRITE: Final = {"create": "true", "parents": "true", "truncate": "true", "cid-version": "1", "raw-leaves": "true"}
_ANSWER_BYTES: Final = 1 << 16  # read at most of an answer that is no file


class KuboFailed(OSError):
    """The node did not do it. `passing`: it may do so later."""

    def __init__(self, cause: str, *, passing: bool) -> None:
        super().__init__(cause)
        self.cause, self.passing = cause, passing


@dataclass(frozen=True, slots=True)
class KuboStore:
    """`seal_for` is needed to write, `key` to read. Failures are KuboFailed, FileNotFoundError, SealBroken."""

    url: str  # of the node's RPC API, without a path
    folder: str  # in its tree, "/…"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seal_for: PublicKey | None = None
    key: PrivateKey | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, options: Mapping[str, str], seal_for: PublicKey | None, key: PrivateKey | None) -> KuboStore:
        """`ipfs+http://host:port/folder`; option `authorization`: the header of that name. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("not ipfs+http://HOST:PORT/FOLDER")
        folder = "/" + unquote(parts.path).strip("/")
        if folder == "/" or any(part in ("", ".", "..") for part in folder[1:].split("/")):
            raise ValueError("the folder in the node's tree is missing")
        if unknown := set(options) - {"authorization"}:
            raise ValueError(f"unknown options: {len(unknown)}")
        headers = {"Authorization": options["authorization"]} if "authorization" in options else {}
        return cls(f"{SCHEMES[parts.scheme]}://{parts.netloc}", folder, headers, seal_for, key)

    # --- publishing --------------------------------------------------------------------------------------------------

    def new_key(self, job_id: str) -> str:
        """A key for one object of a job. An attempt that is repeated leaves its objects until the job is deleted."""
        return f"{job_id}/{secrets.token_hex(16)}"

    def put(self, key: str, pieces: Iterable[bytes]) -> None:
        """Blocks. What `pieces` raises comes through."""
        if self.seal_for is None:
            raise KuboFailed("no key to seal results with", passing=False)
        boundary = secrets.token_hex(16)
        body = _multipart(seal(pieces, self.seal_for, key), boundary)
        headers = {**self.headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        try:
            with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
                answer = client.post(
                    f"{self.url}/api/v0/files/write",
                    params={"arg": self._path(key), **_WRITE},
                    headers=headers,
                    content=body,
                )
        except httpx.HTTPError as exc:
            raise KuboFailed(type(exc).__name__, passing=True) from None
        _require_success(answer.status_code, answer.content, key)

    # --- the service -------------------------------------------------------------------------------------------------

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes [start, end) of an object's content, a chunk at a time."""
        if self.key is None:
            raise KuboFailed("no key to read results with", passing=False)
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, headers=dict(self.headers)) as client:
                sealed_size = int((await self._call(client, "stat", key))["Size"])
                header = b"".join([piece async for piece in self._read(client, key, 0, HEADER)])
                opened = Opened.of(header, sealed_size, self.key, key)
                end = opened.size if end is None else end
                if end > opened.size:
                    raise SealBroken("the object is shorter than it was")
                if start >= end:
                    return
                first, last = opened.chunks_of(start, end)
                number, waiting = first, bytearray()
                offset, count = HEADER + first * SEALED_CHUNK, (last - first) * SEALED_CHUNK
                async for piece in self._read(client, key, offset, count):
                    waiting += piece
                    while len(waiting) >= SEALED_CHUNK:
                        yield _cut(opened.open_chunk(number, bytes(waiting[:SEALED_CHUNK])), number, start, end)
                        del waiting[:SEALED_CHUNK]
                        number += 1
                if waiting:
                    yield _cut(opened.open_chunk(number, bytes(waiting)), number, start, end)
                    number += 1
                if number != last:
                    raise KuboFailed("the answer broke off", passing=True)
        except httpx.HTTPError as exc:
            raise KuboFailed(type(exc).__name__, passing=True) from None

    async def remove(self, job_id: str) -> None:
        """A job's folder with all that is in it. The node frees the room at its next collection."""
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, headers=dict(self.headers)) as client:
                await self._call(client, "rm", job_id, recursive="true", force="true")
        except httpx.HTTPError as exc:
            raise KuboFailed(type(exc).__name__, passing=True) from None

    def _path(self, key: str) -> str:
        return f"{self.folder}/{key}"

    async def _call(self, client: httpx.AsyncClient, command: str, key: str, **options: str) -> dict[str, Any]:
        answer = await client.post(f"{self.url}/api/v0/files/{command}", params={"arg": self._path(key), **options})
        _require_success(answer.status_code, answer.content, key)
        try:
            told: dict[str, Any] = json.loads(answer.content or b"{}")
        except ValueError:
            raise KuboFailed("an answer of another form", passing=False) from None
        return told

    async def _read(self, client: httpx.AsyncClient, key: str, offset: int, count: int) -> AsyncIterator[bytes]:
        params = {"arg": self._path(key), "offset": str(offset), "count": str(count)}
        async with client.stream("POST", f"{self.url}/api/v0/files/read", params=params) as answer:
            if answer.status_code != 200:
                _require_success(answer.status_code, (await answer.aread())[:_ANSWER_BYTES], key)
            async for piece in answer.aiter_raw():
                yield piece


def _multipart(pieces: Iterable[bytes], boundary: str) -> Iterator[bytes]:
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    yield from pieces
    yield f"\r\n--{boundary}--\r\n".encode()


def _require_success(status: int, content: bytes, key: str) -> None:
    """Kubo answers 500 to everything that it cannot do, and says why."""
    if status == 200:
        return
    if status == 500 and b"file does not exist" in content:
        raise FileNotFoundError(key)
    raise KuboFailed(f"HTTP {status}", passing=status >= 500 or status == 429)


def _cut(chunk: bytes, number: int, start: int, end: int) -> bytes:
    """The part of a chunk that lies in [start, end)."""
    at = number * CHUNK
    return chunk[max(0, start - at) : max(0, end - at)]
