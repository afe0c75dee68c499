"""The result store: where publishing puts a job's files, and from where the service reads them. Folder, S3, or IPFS.

Each kind of store is a class in a module of its own; here is what all share: how one is described and opened, and what
its failures mean. Names of objects are in `results.object_names`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from nacl.public import PrivateKey, PublicKey
from obstore.exceptions import BaseError

from contract.keys import decode_public_key
from contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, ManifestInvalid, parse_manifest
from results.folder import open_folder
from results.ipfs import SCHEMES, open_kubo
from results.kubo_rpc import KuboFailed
from results.object_names import is_deletable
from results.s3 import open_s3
from results.sealed import SealBroken

STORE_FILE = "store.json"
RETRY_TIMEOUT_SECONDS = 45.0  # that the store's client tries one request again

_LARGE_MANIFEST_BYTES = 128 * 1024


class Store(Protocol):
    """One kind of store. It raises what its neighbour raises; the functions below say what that means."""

    @property
    def local_folder(self) -> Path | None:
        """Where a store that is a folder lies, for whoever must know how much room there is."""

    def new_key(self, job_id: str, path: bytes) -> str:
        """Where the store shall have a job's file (by its path below `/data`), at one try. Raises ValueError."""

    def put(self, key: str, pieces: Iterable[bytes], *, most: int) -> None:
        """Write an object of at most so many bytes. Blocks. Exceptions from `pieces` propagate. A partly written
        object is never readable."""

    def put_new(self, key: str, content: bytes) -> bool:
        """Write a small object if there is none of that name; blocks. Whether it was written. Not in IPFS."""

    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """The bytes [start, end) of an object, in pieces. FileNotFoundError where there is none."""

    async def remove(self, job_id: str) -> None:
        """All that a job has in the store, the manifest first where that makes a difference."""

    async def remove_objects(self, keys: Sequence[str]) -> None:
        """These objects. Those that are not there are fine."""

    def jobs(self) -> AsyncGenerator[tuple[str, float]]:
        """The jobs that have anything in the store, and when the newest of it was written (Unix seconds)."""

    def is_transient(self, exc: Exception) -> bool:
        """Whether what failed so may succeed later."""


class StoreInvalid(ValueError):
    """The store's description makes no sense. Never repeats its options, which hold secrets."""


class StoreUnavailable(Exception):
    """The store did not do what was asked. `transient`: the same request may succeed later."""

    def __init__(self, action: str, cause: str, *, transient: bool) -> None:
        super().__init__(f"the result store failed at {action}: {cause}")
        self.action, self.cause, self.transient = action, cause, transient


class ResultMissing(LookupError):
    """The store has no such object (never published, deleted, expired)."""


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`url`: file:///folder, s3://bucket/prefix, or ipfs+http://host:port/folder (Kubo's RPC API). `options`: S3
    options as obstore names them, e.g. `endpoint`; for Kubo `authorization`. `seal_for`: the service's public key, with
    which everything that goes to IPFS is sealed."""

    url: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    seal_for: PublicKey | None = None

    def open(self) -> Store:
        return open_store(self.url, self.options, seal_for=self.seal_for)


def read_store_config(folder: Path) -> StoreConfig:
    """Read `store.json`: `{"url": …, "options": {…}, "seal_for": base64}`. Raises StoreInvalid."""
    try:
        document = json.loads((folder / STORE_FILE).read_text(encoding="utf-8"))
        url, options = document["url"], document.get("options") or {}
        seal_for = decode_public_key(document["seal_for"]) if document.get("seal_for") else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise StoreInvalid(f"{STORE_FILE} cannot be read: {type(exc).__name__}") from None
    if not isinstance(url, str) or not isinstance(options, dict):
        raise StoreInvalid(f"{STORE_FILE} has another form than url and options")
    return StoreConfig(url, {str(name): str(value) for name, value in options.items()}, seal_for)


def open_store(
    url: str,
    options: Mapping[str, str] | None = None,
    *,
    retry_timeout_seconds: float = RETRY_TIMEOUT_SECONDS,
    seal_for: PublicKey | None = None,
    key: PrivateKey | None = None,
) -> Store:
    """Raises StoreInvalid. Does not contact the store; a folder is made if it is missing. For IPFS `seal_for` is needed
    to write, and its private half `key` to read."""
    parts, options, patience = urlsplit(url), options or {}, retry_timeout_seconds
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        with _refusing("the result folder cannot be used"):
            return open_folder(unquote(parts.path))
    if parts.scheme in SCHEMES:
        with _refusing("the result store in IPFS cannot be used"):
            return open_kubo(url, options, retry_timeout_seconds=patience, seal_for=seal_for, key=key)
    if parts.scheme == "s3" and parts.netloc:
        with _refusing("the options of the result store are not accepted"):
            return open_s3(parts.netloc, unquote(parts.path), options, retry_timeout_seconds=patience)
    raise StoreInvalid("the result store is none of file:///FOLDER, s3://BUCKET/PREFIX, ipfs+http://HOST/FOLDER")


@contextlib.contextmanager
def _refusing(text: str) -> Iterator[None]:
    try:
        yield
    except ValueError as exc:
        raise StoreInvalid(f"{text}: {exc}") from None


def key_for(store: Store, job_id: str, path: bytes) -> str:
    """Where the store shall have a file, at one try. Raises ValueError."""
    return store.new_key(job_id, path)


def put_object(store: Store, key: str, pieces: Iterable[bytes], *, most: int) -> None:
    """Write an object of at most so many bytes; blocks. A write that breaks off leaves nothing that can be read.

    Raises BaseError, OSError, ValueError, for `cause_of` and `is_transient`, and what `pieces` raises.
    """
    store.put(key, pieces, most=most)


async def put_new(store: Store, key: str, content: bytes) -> bool:
    """Write a small object if there is none of that name. Whether it was written: of several writers at once one has.
    Raises StoreUnavailable."""
    try:
        return await asyncio.to_thread(store.put_new, key, content)
    except (BaseError, OSError) as exc:
        raise StoreUnavailable("writing a decision", cause_of(exc), transient=store.is_transient(exc)) from exc


async def read_small(store: Store, key: str, *, most: int) -> bytes | None:
    """The content of an object of at most so many bytes, None where there is none. Raises StoreUnavailable."""
    content = bytearray()
    try:
        async for piece in stream_object(store, key):
            content += piece
            if len(content) > most:
                raise StoreUnavailable("reading a decision", "it is larger than any", transient=False)
    except ResultMissing:
        return None
    return bytes(content)


async def load_manifest(
    store: Store, job_id: str, digest: str | None = None, *, one_at_a_time: asyncio.Semaphore | None = None
) -> Manifest:
    """The manifest of a job; `digest` is the one in the publishing step's output parameter. A large one is taken apart
    in a thread, under `one_at_a_time`.

    Raises ResultMissing, ManifestInvalid, StoreUnavailable.
    """
    encoded = bytearray()
    async with contextlib.AsyncExitStack() as stack:
        async for piece in stream_object(store, f"{job_id}/{MANIFEST_NAME}"):
            if not encoded and len(piece) > _LARGE_MANIFEST_BYTES and one_at_a_time is not None:
                await stack.enter_async_context(one_at_a_time)
            encoded += piece
            if len(encoded) > MAX_MANIFEST_BYTES:
                raise ManifestInvalid("the manifest is larger than any that we write")
        if len(encoded) > _LARGE_MANIFEST_BYTES:
            return await asyncio.to_thread(parse_manifest, bytes(encoded), job_id=job_id, digest=digest)
        return parse_manifest(bytes(encoded), job_id=job_id, digest=digest)


async def stream_object(store: Store, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
    """The bytes [start, end) of an object, in pieces. Raises ResultMissing, StoreUnavailable, also in the middle.

    The object is opened with the first piece, so a caller that must know beforehand asks for that piece first.
    """
    if end is not None and end <= start:
        return
    try:
        async with contextlib.aclosing(store.stream(key, start, end)) as pieces:
            async for piece in pieces:
                yield piece
    except (BaseError, OSError, SealBroken) as exc:
        raise _translated(store, "reading a result", exc) from exc


async def delete_job(store: Store, job_id: str) -> None:
    """Delete all that a job has in the store. Nothing there is fine. Raises StoreUnavailable."""
    if not is_deletable(job_id):
        raise ValueError("not a job id")
    try:
        await store.remove(job_id)
    except (BaseError, OSError) as exc:
        raise StoreUnavailable("deleting results", cause_of(exc), transient=store.is_transient(exc)) from exc


async def delete_objects(store: Store, keys: Sequence[str]) -> None:
    """Delete some of a job's objects. Those that are not there are fine. Raises StoreUnavailable."""
    try:
        await store.remove_objects(keys)
    except (BaseError, OSError) as exc:
        raise StoreUnavailable("deleting results", cause_of(exc), transient=store.is_transient(exc)) from exc


@dataclass(frozen=True, slots=True)
class Stored:
    """What a job has in the store, and when the newest of it was written (Unix seconds)."""

    job_id: str
    written_at: float


async def stored_jobs(store: Store) -> AsyncIterator[Stored]:
    """The jobs that have anything in the store, by its own list. Raises StoreUnavailable.

    None for IPFS, where folders bear only a digest of a job's id. Other folders (of assets) are left out.
    """
    try:
        async with contextlib.aclosing(store.jobs()) as jobs:
            async for job_id, written_at in jobs:
                yield Stored(job_id, written_at)
    except (BaseError, OSError) as exc:
        raise StoreUnavailable("listing results", cause_of(exc), transient=store.is_transient(exc)) from exc


def _translated(store: Store, action: str, exc: Exception) -> StoreUnavailable | ResultMissing:
    """The store's exception without its text, which names addresses."""
    if isinstance(exc, FileNotFoundError):
        return ResultMissing(f"not in the result store ({action})")
    return StoreUnavailable(action, cause_of(exc), transient=store.is_transient(exc))


def cause_of(exc: Exception) -> str:
    if isinstance(exc, KuboFailed):
        return exc.cause
    if isinstance(exc, OSError) and exc.errno:
        return errno.errorcode.get(exc.errno, str(exc.errno))
    return type(exc).__name__


def is_transient(store: Store, exc: Exception) -> bool:
    """Whether the same request may succeed later: connection and server faults, not refusals, nothing in a folder."""
    return store.is_transient(exc)
