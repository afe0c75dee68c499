"""The result store: where publishing puts a job's files, and from where the service reads them. Folder, S3, or IPFS.

Layout: `{job id}/manifest.json`, `{job id}/outputs/…`, `{job id}/logs/…`, `{job id}/adminlogs/…`. Outputs that became
an asset lie in a folder of their own once more, `asset-{job id}/{digest}/…`, which stays when the job goes. Keys are
made of letters, digits, `.`, `_`, `-`; every other byte of a name is written as `=XX`, because stores differ in what
else they allow. In IPFS the names of files are random instead (`results.ipfs`). The manifest has the key of every file.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
from nacl.public import PrivateKey, PublicKey
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from contract.keys import decode_public_key
from contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, ManifestInvalid, parse_manifest
from results.ipfs import SCHEMES, KuboStore, open_kubo
from results.kubo_rpc import KuboFailed
from results.sealed import SealBroken

STORE_FILE = "store.json"
RETRY_TIMEOUT_SECONDS = 45.0  # that the store's client tries one request again

SINGLE_PUT_BYTES = 1 << 20  # up to this size a file is one request
PART_BYTES = 8 << 20  # of a multipart upload; S3 allows 10,000 parts, so 80 GB for one file
PARTS_AT_ONCE = 2

Store = LocalStore | S3Store | KuboStore

_CLIENT_OPTIONS = ("allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_MAX_PART = 200  # characters of one part of a key
_ASSET = "asset-"  # no job is named so: all job ids are 32 hexadecimal digits
_JOB_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*")
_STORED = re.compile(r"[0-9a-f]{32}")  # the folder of a job
_DELETED_AT_ONCE = 500  # objects in one request
_LARGE_MANIFEST_BYTES = 128 * 1024
_MAX_KEY = 700  # characters of a key; S3 allows 1024 with the store's own prefix


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
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        try:
            return LocalStore(Path(unquote(parts.path)), mkdir=True, automatic_cleanup=True)
        except (BaseError, OSError) as exc:
            raise StoreInvalid(f"the result folder cannot be used: {type(exc).__name__}") from None
    if parts.scheme in SCHEMES:
        try:
            return open_kubo(
                url, options or {}, retry_timeout_seconds=retry_timeout_seconds, seal_for=seal_for, key=key
            )
        except ValueError as exc:
            raise StoreInvalid(f"the result store in IPFS cannot be used: {exc}") from None
    if parts.scheme != "s3" or not parts.netloc:
        raise StoreInvalid("the result store is none of file:///FOLDER, s3://BUCKET/PREFIX, ipfs+http://HOST/FOLDER")
    config: dict[str, Any] = {}
    client: dict[str, Any] = {"connect_timeout": "10s", "timeout": "120s"}
    for name, value in (options or {}).items():
        (client if name in _CLIENT_OPTIONS else config)[name] = value
    if str(config.get("endpoint", "")).startswith("http://"):
        client["allow_http"] = "true"
    try:
        return S3Store(
            parts.netloc,
            prefix=unquote(parts.path).strip("/") or None,
            config=config,  # type: ignore[arg-type]
            client_options=client,  # type: ignore[arg-type]
            retry_config={"max_retries": 8, "retry_timeout": timedelta(seconds=retry_timeout_seconds)},
        )
    except (BaseError, ValueError, OSError) as exc:
        raise StoreInvalid(f"the options of the result store are not accepted: {type(exc).__name__}") from None


def object_key(job_id: str, path: bytes) -> str:
    """The key of a file by its path below `/data`. Injective; long names end in a digest of the whole name."""
    parts = [_key_part(part) for part in path.split(b"/")]
    key = "/".join((job_id, *parts))
    if len(key) > _MAX_KEY:
        key = f"{job_id}/{parts[0]}/=-{hashlib.sha256(path).hexdigest()}"
    return key


def _key_part(part: bytes) -> str:
    text = "".join(chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in part)
    if text in (".", "..", ""):
        raise ValueError("a path has an empty part, or one that leads elsewhere")
    return text if len(text) <= _MAX_PART else f"{text[:100]}=-{hashlib.sha256(part).hexdigest()}"


def asset_folder(token: str) -> str:
    """Where the files of an asset made of results lie, with a manifest like a job's. Whoever has the token may fetch
    them; whoever sees the names in the store has no token. At the top, because on one machine each job writes as a
    user of its own, and would not be let into a folder that another one has made. A token that names its job has a
    folder in that job's own: publishing pods see no other job's results."""
    job_id, dot, _ = token.partition(".")
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f"{_ASSET}{job_id}/{digest}" if dot else f"{_ASSET}{digest}"


def key_for(store: Store, job_id: str, path: bytes) -> str:
    """Where the store shall have a file, at one try. Raises ValueError."""
    return store.new_key(job_id) if isinstance(store, KuboStore) else object_key(job_id, path)


def put_object(store: Store, key: str, pieces: Iterable[bytes], *, most: int) -> None:
    """Write an object of at most so many bytes; blocks. A write that breaks off leaves nothing that can be read.

    Raises BaseError, OSError, ValueError, for `cause_of` and `is_transient`, and what `pieces` raises.
    """
    if isinstance(store, KuboStore):
        store.put(key, pieces)
    elif most <= SINGLE_PUT_BYTES:
        obstore.put(store, key, b"".join(pieces), use_multipart=False)
    else:
        obstore.put(store, key, iter(pieces), use_multipart=True, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)


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


async def stream_object(
    store: Store, key: str, *, start: int = 0, end: int | None = None, chunk_bytes: int = 1 << 20
) -> AsyncIterator[bytes]:
    """The bytes [start, end) of an object, in pieces. Raises ResultMissing, StoreUnavailable, also in the middle.

    The object is opened with the first piece, so a caller that must know beforehand asks for that piece first.
    """
    if end is not None and end <= start:
        return
    try:
        if isinstance(store, LocalStore):
            async for piece in _read_file(_path(store, key), start, end, chunk_bytes):
                yield piece
            return
        if isinstance(store, KuboStore):
            async with contextlib.aclosing(store.stream(key, start, end)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        if start == 0 and end is None:
            answer = await obstore.get_async(store, key)
        elif end is None:
            answer = await obstore.get_async(store, key, options={"range": {"offset": start}})
        else:
            answer = await obstore.get_async(store, key, options={"range": (start, end)})
        async for piece in answer.stream(min_chunk_size=chunk_bytes):
            yield bytes(piece)
    except (BaseError, OSError, SealBroken) as exc:
        raise translated(store, "reading a result", exc) from exc


async def _read_file(path: Path, start: int, end: int | None, chunk_bytes: int) -> AsyncIterator[bytes]:
    """Like the stream of a LocalStore, which reads 8 KiB at a time: that is 0.02 of this speed."""
    file = await asyncio.to_thread(path.open, "rb", buffering=0)
    try:
        file.seek(start)
        left = end - start if end is not None else os.fstat(file.fileno()).st_size - start
        while left > 0:
            piece = await asyncio.to_thread(file.read, min(chunk_bytes, left))
            if not piece:
                raise OSError(errno.EIO, "the file is shorter than it should be")
            left -= len(piece)
            yield piece
    finally:
        file.close()


def _path(store: LocalStore, key: str) -> Path:
    """The file of an object; a LocalStore itself takes no other keys."""
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise FileNotFoundError(key)
    return Path(str(store.prefix), key)


async def delete_job(store: Store, job_id: str) -> None:
    """Delete all that a job has in the store, the manifest first. Nothing there is fine. Raises StoreUnavailable.

    Of a folder also what the store does not list: empty folders, and the beginnings of uploads that were killed.
    """
    if not _JOB_ID.fullmatch(job_id) or job_id.startswith(_ASSET):
        raise ValueError("not a job id")
    try:
        if isinstance(store, KuboStore):
            await store.remove(job_id)
            return
        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(store, f"{job_id}/{MANIFEST_NAME}")
        if isinstance(store, LocalStore):
            await asyncio.to_thread(_remove_folder, Path(str(store.prefix), job_id))
            await asyncio.to_thread(_remove_empty, Path(str(store.prefix), f"{_ASSET}{job_id}"))
            return
        pages = obstore.list(store, prefix=f"{job_id}/", chunk_size=_DELETED_AT_ONCE)
        keys = [item["path"] async for page in pages for item in page]
        for first in range(0, len(keys), _DELETED_AT_ONCE):  # (S3 calls it a success when one is gone already)
            await obstore.delete_async(store, keys[first : first + _DELETED_AT_ONCE])
    except (BaseError, OSError) as exc:
        raise StoreUnavailable("deleting results", cause_of(exc), transient=is_transient(store, exc)) from exc


@dataclass(frozen=True, slots=True)
class Stored:
    """What a job has in the store, and when the newest of it was written (Unix seconds)."""

    job_id: str
    written_at: float


async def stored_jobs(store: Store) -> AsyncIterator[Stored]:
    """The jobs that have anything in the store, by its own list. Raises StoreUnavailable.

    None for IPFS, where folders bear only a digest of a job's id. Other folders (of assets) are left out.
    """
    if isinstance(store, KuboStore):
        return
    try:
        if isinstance(store, LocalStore):
            for found in await asyncio.to_thread(_folders, Path(str(store.prefix))):
                yield found
            return
        listed = await obstore.list_with_delimiter_async(store)
        for prefix in listed["common_prefixes"]:
            job_id = prefix.rstrip("/")
            if _STORED.fullmatch(job_id):
                pages = obstore.list(store, prefix=f"{prefix.rstrip('/')}/", chunk_size=_DELETED_AT_ONCE)
                newest = [max(item["last_modified"].timestamp() for item in page) async for page in pages if page]
                if newest:
                    yield Stored(job_id, max(newest))
    except (BaseError, OSError) as exc:
        raise StoreUnavailable("listing results", cause_of(exc), transient=is_transient(store, exc)) from exc


def _folders(root: Path) -> list[Stored]:
    """Raises OSError."""
    found = []
    with os.scandir(root) as entries:
        for entry in entries:
            if _STORED.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # going away meanwhile
                    times = [entry.stat(follow_symlinks=False).st_mtime]
                    with os.scandir(entry.path) as inner:
                        times += [each.stat(follow_symlinks=False).st_mtime for each in inner]
                    found.append(Stored(entry.name, max(times)))
    return found


def _remove_empty(folder: Path) -> None:
    """A mount point that no asset was put into."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _remove_folder(folder: Path) -> None:
    """Remove a tree that may be growing, or going away, meanwhile. Raises OSError."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError:
        if any(folder.iterdir()):  # an empty one, made for a mount by somebody else, may stay
            raise


def translated(store: Store, action: str, exc: Exception) -> StoreUnavailable | ResultMissing:
    """The store's exception without its text, which names addresses."""
    if isinstance(exc, FileNotFoundError):
        return ResultMissing(f"not in the result store ({action})")
    return StoreUnavailable(action, cause_of(exc), transient=is_transient(store, exc))


def cause_of(exc: Exception) -> str:
    if isinstance(exc, KuboFailed):
        return exc.cause
    if isinstance(exc, OSError) and exc.errno:
        return errno.errorcode.get(exc.errno, str(exc.errno))
    return type(exc).__name__


def is_transient(store: Store, exc: Exception) -> bool:
    """Whether the same request may succeed later: connection and server faults, not refusals, nothing in a folder."""
    lasting = (
        "PermissionDeniedError",
        "UnauthenticatedError",
        "InvalidPathError",
        "NotSupportedError",
        "NotFoundError",
    )
    if isinstance(exc, KuboFailed):
        return exc.transient
    if isinstance(store, LocalStore) or type(exc).__name__ in lasting:
        return False
    return not isinstance(exc, PermissionError | FileNotFoundError | ValueError)
