"""IPFS as a result store: files in the own tree (MFS) of a Kubo node, and all of them sealed.

Whatever lies in IPFS can be fetched by everybody who knows its identifier, or is told it by the network, and folders
tell what is in them. So contents are sealed (`results.sealed`), objects have random names, and a job's folder bears a
digest of the job's id, because whoever knows an id may ask for that job's status. How many results there are, and how
large, is not hidden.

An object is written part by part; each is on the node's disk before the next one, and can be repeated. Every try at a
whole object gets a name of its own: a node that waits for the rest of a broken upload keeps that file locked.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from nacl.public import PrivateKey, PublicKey

from results.kubo_rpc import KuboFailed, Node, Patience
from results.sealed import CHUNK, HEADER, Opened, SealBroken, seal

if TYPE_CHECKING:
    import httpx

SCHEMES: Final = {"ipfs+http": "http", "ipfs+https": "https"}
_AUTHORITY: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
PART_PIECES: Final = 128  # sealed chunks in one request: 8 MiB, of which the node makes 32 blocks


@dataclass(frozen=True, slots=True)
class KuboStore:
    """`seal_for` is needed to write, `key` to read. Failures are KuboFailed, FileNotFoundError, SealBroken."""

    node: Node
    folder: str  # in the node's tree, "/…"
    seal_for: PublicKey | None = None
    key: PrivateKey | None = field(default=None, repr=False)

    @property
    def local_folder(self) -> None:
        return None

    def new_key(self, job_id: str, path: bytes) -> str:
        """A key for one try at one object of a job. What a try leaves behind goes with the job."""
        return f"{job_id}/{secrets.token_hex(16)}"

    def path(self, key: str) -> str:
        """Where the node has an object, or all of a job's."""
        job_id, slash, name = key.partition("/")
        return f"{self.folder}/{folder_name(job_id)}{slash}{name}"

    def put(self, key: str, pieces: Iterable[bytes], *, most: int) -> None:
        """Blocks. What `pieces` raises comes through. An object that was begun and not ended cannot be opened."""
        if self.seal_for is None:
            raise KuboFailed("no key to seal results with", transient=False)
        path, offset = self.path(key), 0
        with self.node.client() as client:
            sealed = seal(pieces, self.seal_for, key)
            while part := list(islice(sealed, PART_PIECES)):
                self.node.write(client, path, offset, part)
                offset += sum(map(len, part))

    def put_new(self, key: str, content: bytes) -> bool:
        raise KuboFailed("a node in IPFS cannot say who was first", transient=False)

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes [start, end) of an object's content, a chunk at a time. What breaks off is gone on with."""
        if self.key is None:
            raise KuboFailed("no key to read results with", transient=False)
        path = self.path(key)
        async with self.node.async_client() as client:
            size = await self.node.size(client, path)
            header = await self.node.read(client, path, 0, min(HEADER, size))
            opened = Opened.of(header, size, self.key, key)
            end = opened.size if end is None else end
            if end > opened.size:
                raise SealBroken("the object is shorter than it was")
            if start >= end:
                return
            number, last = opened.chunks_of(start, end)
            patience = Patience(self.node.retry_seconds)
            while number < last:
                try:
                    async with aclosing(self._chunks(client, path, opened, number, last)) as chunks:
                        async for chunk in chunks:
                            yield _cut(chunk, number, start, end)
                            number += 1
                            patience.went_on()
                except KuboFailed as failure:
                    await asyncio.sleep(patience.pause(failure))

    async def remove(self, job_id: str) -> None:
        """A job's folder with all that is in it. The node frees the room at its next collection."""
        async with self.node.async_client() as client:
            await self.node.remove(client, self.path(job_id))

    async def remove_objects(self, keys: Sequence[str]) -> None:
        async with self.node.async_client() as client:
            for key in keys:
                await self.node.remove(client, self.path(key))

    async def jobs(self) -> AsyncGenerator[tuple[str, float]]:
        """None can be told: folders bear only a digest of a job's id."""
        return
        yield

    def is_transient(self, exc: Exception) -> bool:
        if isinstance(exc, KuboFailed):
            return exc.transient
        return not isinstance(exc, PermissionError | FileNotFoundError | ValueError)

    async def _chunks(
        self, client: httpx.AsyncClient, path: str, opened: Opened, first: int, last: int
    ) -> AsyncGenerator[bytes]:
        """The content of the chunks [first, last)."""
        (offset, _), (_, end) = opened.place_of(first), opened.place_of(last - 1)
        waiting, number = bytearray(), first
        async with aclosing(self.node.stream(client, path, offset, end - offset)) as pieces:
            async for piece in pieces:
                waiting += piece
                while number < last and len(waiting) >= (length := opened.length_of(number)):
                    yield opened.open_chunk(number, bytes(waiting[:length]))
                    del waiting[:length]
                    number += 1
        if number < last:
            raise KuboFailed("the answer broke off", transient=True)


def open_kubo(
    url: str,
    options: Mapping[str, str],
    *,
    retry_timeout_seconds: float,
    seal_for: PublicKey | None,
    key: PrivateKey | None,
) -> KuboStore:
    """`ipfs+http://host:port/folder`; option `authorization`: the header of that name. Raises ValueError, which does
    not repeat them."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not _AUTHORITY.fullmatch(parts.netloc) or parts.query or parts.fragment:
        raise ValueError("not ipfs+http://HOST:PORT/FOLDER")
    if parts.port == 0:  # of one above 65535 it says so itself
        raise ValueError("port 0")
    address = f"{SCHEMES[parts.scheme]}://{parts.netloc}"
    folder = "/" + unquote(parts.path).strip("/")
    if any(part in ("", ".", "..") or "\0" in part for part in folder[1:].split("/")):
        raise ValueError("the folder in the node's tree is missing, or leads elsewhere")
    if unknown := set(options) - {"authorization"}:
        raise ValueError(f"{len(unknown)} options beside authorization")
    headers = {"Authorization": options["authorization"]} if options.get("authorization") else {}
    if not all(text.isascii() and text.isprintable() for text in headers.values()):
        raise ValueError("authorization is no line of ASCII text")
    return KuboStore(Node(address, headers, retry_timeout_seconds), folder, seal_for, key)


def folder_name(job_id: str) -> str:
    """Of a job's folder: what `b2sum --length 128` says of the id."""
    return hashlib.blake2b(job_id.encode(), digest_size=16).hexdigest()


def _cut(chunk: bytes, number: int, start: int, end: int) -> bytes:
    """The part of a chunk that lies in [start, end)."""
    at = number * CHUNK
    return chunk[max(0, start - at) : max(0, end - at)]
