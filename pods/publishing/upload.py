"""Uploads files, several at once, each read once: its digest is computed from the bytes that are sent.

A file that grows meanwhile is published as long as it was when it was found; of one that shrinks, what is there.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from obstore.exceptions import BaseError

from contract.manifest import LeftOut, ResultFile
from pods.publishing.names import shown
from pods.publishing.room import Room
from pods.publishing.sources import Source
from pods.publishing.tree import NotReadable, open_found
from pods.scrub import scrub_stream
from results.store import Store, cause_of, is_transient, key_for, put_object

READ_BYTES = 1 << 20
ATTEMPTS = 2  # of a whole file; the store's client has tried each request several times by then
_TYPES = mimetypes.MimeTypes()


@dataclass(frozen=True, slots=True)
class Uploaded:
    source: Source
    size: int
    sha256: str
    key: str


@dataclass(frozen=True, slots=True)
class Failed:
    """`transient` None: the file cannot be read, which is the algorithm's doing; otherwise the store's fault."""

    source: Source
    reason: str  # for the manifest
    cause: str  # for the log
    transient: bool | None


class Uploader:
    def __init__(
        self, store: Store, job_id: str, *, parallel: int, backoff_seconds: float = 0.5, reserve_bytes: int = 0
    ) -> None:
        """`reserve_bytes`: what a store in a folder must have left after each file but our own logs."""
        self._room = Room(store, job_id, reserve_bytes)
        self._store = store
        self._job_id = job_id
        self._parallel = parallel
        self._backoff_seconds = backoff_seconds
        self._lock = threading.Lock()
        self._given_up_in_a_row = 0

    @property
    def store_is_away(self) -> bool:
        """So many files failed one after the other that nothing else is tried: each try would cost a minute."""
        return self._given_up_in_a_row >= self._parallel

    def upload_all(
        self, sources: Sequence[Source], done: Callable[[Uploaded | Failed], None]
    ) -> list[Uploaded | Failed]:
        """In the order of `sources`. `done` is called in this thread, in that order."""
        results = []
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="upload") as pool:
            for result in pool.map(self.upload, sources):
                done(result)
                results.append(result)
        return results

    def upload(self, source: Source) -> Uploaded | Failed:
        for attempt in range(1, ATTEMPTS + 1):
            if self.store_is_away:
                return Failed(source, "upload_failed", "store away", transient=True)
            key = key_for(self._store, self._job_id, source.path)
            try:
                descriptor = open_found(source.root, source.file)
            except NotReadable as exc:
                return Failed(source, exc.reason, exc.reason, transient=None)
            reader = _Reader(descriptor, source)
            taken = 0 if source.scrubbed else reader.limit
            if not self._room.take(taken):
                os.close(descriptor)
                return Failed(source, "store_full", "the result store has no room", transient=False)
            try:
                put_object(self._store, key, reader, most=reader.limit)
                self._note(given_up=False)
                return Uploaded(source, reader.size, reader.digest.hexdigest(), key)
            except (BaseError, OSError, ValueError) as exc:
                if reader.failure is not None:
                    return Failed(source, "unreadable", cause_of(reader.failure), transient=None)
                if not is_transient(self._store, exc):
                    return Failed(source, "upload_failed", cause_of(exc), transient=False)
                if attempt == ATTEMPTS:
                    self._note(given_up=True)
                    return Failed(source, "upload_failed", cause_of(exc), transient=True)
            finally:
                self._room.give_back(taken)
                os.close(descriptor)
            time.sleep(self._backoff_seconds * 4 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _note(self, *, given_up: bool) -> None:
        with self._lock:
            self._given_up_in_a_row = self._given_up_in_a_row + 1 if given_up else 0


class _Reader:
    """The bytes that go to the store, counted and digested on the way."""

    def __init__(self, descriptor: int, source: Source) -> None:
        self._descriptor = descriptor
        self._scrubbed = source.scrubbed
        self.limit = source.file.size
        self.size = 0
        self.digest = hashlib.sha256()
        self.failure: OSError | None = None

    def __iter__(self) -> Iterator[bytes]:
        for chunk in scrub_stream(self._raw()) if self._scrubbed else self._raw():
            self.size += len(chunk)
            self.digest.update(chunk)
            yield chunk

    def _raw(self) -> Iterator[bytes]:
        room = self.limit
        while room:
            try:
                chunk = os.read(self._descriptor, min(READ_BYTES, room))
            except OSError as exc:
                self.failure = exc
                raise
            if not chunk:
                return
            room -= len(chunk)
            yield chunk


def result_files(results: Sequence[Uploaded | Failed]) -> tuple[tuple[ResultFile, ...], tuple[LeftOut, ...]]:
    """The two lists of the manifest; indices without gaps."""
    files: list[ResultFile] = []
    left_out: list[LeftOut] = []
    for result in results:
        path = shown(result.source.path)
        if isinstance(result, Failed):
            left_out.append(LeftOut(path=path, reason=result.reason))
            continue
        name = path.rpartition("/")[2]
        files.append(
            ResultFile(
                index=len(files),
                path=path,
                filename=name,
                filesize=result.size,
                sha256=result.sha256,
                type=result.source.type,
                content_type=content_type_of(name, is_log=result.source.type != "output"),
                key=result.key,
            )
        )
    return tuple(files), tuple(left_out)


def content_type_of(name: str, *, is_log: bool) -> str:
    """By the name's ending, the same on every machine; `application/octet-stream` where it says nothing."""
    if is_log:
        return "text/plain"
    kind, encoding = _TYPES.guess_type(name, strict=True)
    return kind if kind and not encoding else "application/octet-stream"
