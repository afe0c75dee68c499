"""One result on its way: into a file of its own, which a later transfer goes on with.

Files under way lie in a hidden folder, by their numbers. Beside each `NUMBER.etag` says of which content it is, so that
two contents are never joined.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx

from client.exits import Unreachable
from client.provider import NONCE_TRIES, Provider, after_a_rival, is_nonce_used
from ocean.client import ConsumerError
from ocean.kit.digits import is_sha256

FOLDER_OF_PARTS: Final = ".c2d-parts"
_TRIES: Final = 5  # that brought nothing
_WHOLE: Final = {"accept-encoding": "identity"}  # what is compressed has no ranges, and no bound


class Parts:
    """Files of a job under way to a folder."""

    def __init__(self, folder: Path, job_id: str) -> None:
        self.job_id = job_id
        self._folder = folder / FOLDER_OF_PARTS

    def file(self, index: int) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{self.job_id}-{index}"

    def remove(self) -> None:
        """When all have taken their places. What other jobs have under way stays."""
        if not self._folder.is_dir():
            return
        for path in self._folder.glob(f"{self.job_id}-*"):
            path.unlink()
        if not any(self._folder.iterdir()):
            self._folder.rmdir()


async def fetched(consumer: Provider, parts: Parts, index: int, size: int | None) -> Path:
    """The file of a result, whole. `size`: bytes, as the provider said; None where it cannot know. Raises Unreachable,
    ConsumerError, httpx.TransportError, OSError."""
    part, failures = parts.file(index), 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        try:
            await _transfer(consumer, parts.job_id, index, part, size)
        except (httpx.TransportError, ConsumerError) as exc:
            rival = isinstance(exc, ConsumerError) and is_nonce_used(exc)
            transient = rival or isinstance(exc, httpx.TransportError) or exc.status >= 500
            more = part.is_file() and part.stat().st_size > before
            failures = 0 if more else failures + 1
            if not transient or failures == (NONCE_TRIES if rival else _TRIES):
                raise
            await after_a_rival(failures)
            continue
        length = part.stat().st_size
        if size is not None and length != size:
            _drop(part)
            raise Unreachable(f"result {index} has {length} bytes, and the provider says that it has {size}")
        return part


async def _transfer(consumer: Provider, job_id: str, index: int, part: Path, size: int | None) -> None:
    """Go on with what is there of the same content, to the end of it, whose digest an ETag that is one must name."""
    note = _note(part)
    have = _begun(part)
    headers = {"Range": f"bytes={have}-", "If-Range": note.read_text()} if have else {}
    async with AsyncExitStack() as stack:
        try:
            asked = consumer.result_stream(job_id, index, {**headers, **_WHOLE})
            answer = await stack.enter_async_context(asked)
        except ConsumerError as exc:
            if exc.status != 416 or not have:
                raise
            asked = consumer.result_stream(job_id, index, _WHOLE)  # nothing follows
            answer = await stack.enter_async_context(asked)
        etag = answer.headers.get("etag", "")
        goes_on = answer.status_code == 206
        if goes_on and not answer.headers.get("content-range", "").startswith(f"bytes {have}-"):
            raise Unreachable(f"the provider answers another part of result {index} than it was asked for")
        if etag and etag.isprintable():
            note.write_text(etag)
        else:
            note.unlink(missing_ok=True)
        length = have if goes_on else 0
        with part.open("ab" if goes_on else "wb") as file:
            async for (
                piece
            ) in answer.aiter_raw():  # as they come: what is not full yet would be lost with the connection
                length += len(piece)
                if size is not None and length > size:
                    _drop(part)
                    raise Unreachable(f"the provider sends more of result {index} than the {size} bytes that it has")
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    said = etag.strip('"')
    if is_sha256(said) and said != digest_of(part):
        _drop(part)
        raise Unreachable(f"result {index} is not what the provider says that it is: it has another digest")


def _begun(part: Path) -> int:
    """How much of it is there, whose content is known."""
    return part.stat().st_size if part.is_file() and _note(part).is_file() else 0


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def digest_of(path: Path) -> str:
    """SHA-256, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
