"""Results in a folder: each one whole or not at all, continued where a transfer broke off, verified at the end.

A file under way is called `NAME.part`, beside it `NAME.part.etag` says of which content it is. When everything is there
and the job has a passport, all files are verified by it, as `c2d verify` does, and trust goes to the accounts that the
provider names: it is the provider that was asked to run the job.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from client.exits import Trouble, Unreachable, Unusable
from client.jobs.facts import Job, results_of
from client.printing import Printer, size
from client.text import harmless
from client.verify import digests_verified
from ocean.client import Consumer, ConsumerError
from ocean.kit.digits import is_sha256
from records.passport import PASSPORT_NAME, PASSPORT_TYPE
from records.verify import NotVerified, read_passport

_PIECE_BYTES = 1 << 20
_TRIES = 5  # of one file, each of which has to bring something


@dataclass(frozen=True, slots=True)
class Fetched:
    """`path`: where the file is. `sha256`: of its bytes."""

    index: int
    type: str
    path: Path
    size: int
    sha256: str


async def fetch_all(consumer: Consumer, job: Job, folder: Path, printer: Printer) -> list[Fetched]:
    """All results of a job, into a folder. A file that is there already, whole and the same, is not fetched again.

    Raises Unusable (a name that would leave the folder, a file in the way), Unreachable, ConsumerError.
    """
    entries = await _all_entries(consumer, job)
    targets = [_target(folder, entry, index) for index, entry in enumerate(entries)]
    if len({str(target) for target in targets}) < len(targets):
        raise Unusable("two results of this job have the same name, so they do not fit into one folder")
    found: dict[int, Fetched] = {}
    digests: frozenset[str] = frozenset()
    # The passport first: by its digests, files that are there already are known.
    places = sorted(range(len(entries)), key=lambda place: entries[place].get("type") != PASSPORT_TYPE)
    for place in places:
        entry, target = entries[place], targets[place]
        index, kind = int(entry.get("index", place)), str(entry.get("type", ""))
        with printer.status(f"fetching {entry.get('filename', index)} ({size(entry.get('filesize') or 0)})"):
            known = _digest(target) if target.is_file() and kind != PASSPORT_TYPE else None
            if known is None or known not in digests:
                digest = await _fetched(consumer, str(job["jobId"]), index, entry, target)
            else:
                digest = known
        if kind == PASSPORT_TYPE:
            digests = _named_digests(target)
        found[place] = Fetched(index, kind, target, target.stat().st_size, digest)
    return [found[place] for place in range(len(entries))]


def _named_digests(passport: Path) -> frozenset[str]:
    """Those of its files; none where it cannot be read, which its verification will say."""
    try:
        return frozenset(subject.sha256 for subject in read_passport(passport.read_bytes()).statement.subjects)
    except NotVerified:
        return frozenset()


async def _all_entries(consumer: Consumer, job: Job) -> list[dict[str, Any]]:
    """Long lists are cut, and say so."""
    entries, following = results_of(job), job.get("resultsNext")
    while isinstance(following, int):
        query = {"consumerAddress": consumer.address, "jobId": job["jobId"], "resultsFrom": following}
        (part,) = await consumer.call("computeStatus", query=query)
        more = results_of(part)
        known = {entry.get("index") for entry in entries}
        added = [entry for entry in more if entry.get("index") not in known]
        if not added:
            raise Unreachable("the provider's list of results does not end")
        entries += added
        following = part.get("resultsNext")
    return sorted(entries, key=lambda entry: int(entry.get("index", 0)))


def _target(folder: Path, entry: dict[str, Any], index: int) -> Path:
    """Where a result goes. Raises Unusable for a name that would lead out of the folder."""
    name = str(entry.get("filename") or f"result-{index}")
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise Unusable(f"the provider names a result {harmless(name)!r}, which is no place in a folder")
    return folder.joinpath(*parts)


async def _fetched(consumer: Consumer, job_id: str, index: int, entry: dict[str, Any], target: Path) -> str:
    """Its SHA-256. A job's passport changes its signature each time, so it is always fetched anew."""
    target.parent.mkdir(parents=True, exist_ok=True)
    expected = entry.get("filesize") if entry.get("type") != PASSPORT_TYPE else None
    part = target.with_name(target.name + ".part")
    for attempt in range(_TRIES):
        try:
            digest = await _transfer(consumer, job_id, index, part)
        except (httpx.TransportError, ConsumerError) as exc:
            transient = isinstance(exc, httpx.TransportError) or exc.status in (500, 502, 503, 504)
            if not transient or attempt == _TRIES - 1:
                raise
            continue
        length = part.stat().st_size
        if isinstance(expected, int) and expected and length != expected:
            _drop(part)
            raise Unreachable(f"{target.name} has {length} bytes, and the provider says that it has {expected}")
        if expected is not None and _differs(target, digest):
            raise Unusable(f"{target} is there already, with another content: name another folder with --output")
        part.replace(target)
        _note(part).unlink(missing_ok=True)
        return digest
    raise Unreachable(f"{target.name} could not be fetched")


async def _transfer(consumer: Consumer, job_id: str, index: int, part: Path) -> str:
    """Go on with what is there of the same content; the SHA-256 of the whole, which an ETag that is one must name."""
    note = _note(part)
    have = _begun(part)
    headers = {"Range": f"bytes={have}-", "If-Range": note.read_text()} if have else {}
    async with AsyncExitStack() as stack:
        try:
            asked = consumer.result_stream(job_id, index, {**headers, "accept-encoding": "identity"})
            answer = await stack.enter_async_context(asked)
        except ConsumerError as exc:
            if exc.status != 416 or not have:
                raise
            asked = consumer.result_stream(job_id, index, {"accept-encoding": "identity"})  # nothing follows
            answer = await stack.enter_async_context(asked)
        etag = answer.headers.get("etag", "")
        goes_on = answer.status_code == 206
        if etag:
            note.write_text(etag)
        else:
            note.unlink(missing_ok=True)
        with part.open("ab" if goes_on else "wb") as file:
            async for piece in answer.aiter_raw(_PIECE_BYTES):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    digest = _digest(part)
    said = etag.strip('"')
    if is_sha256(said) and said != digest:
        _drop(part)
        raise Unreachable(f"result {index} is not what the provider says that it is: it has another digest")
    return digest


def _begun(part: Path) -> int:
    """How much of it is there, whose content is known."""
    return part.stat().st_size if part.is_file() and _note(part).is_file() else 0


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _differs(target: Path, digest: str) -> bool:
    """Whether another file is there."""
    return target.is_file() and _digest(target) != digest


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def verified(consumer: Consumer, folder: Path, found: Sequence[Fetched]) -> str | None:
    """The account that signed the passport of exactly these files; None where the provider gives no passport.

    Raises Trouble where the files are not what the passport says.
    """
    passports = [each for each in found if each.type == PASSPORT_TYPE or each.path.name == PASSPORT_NAME]
    if not passports:
        return None
    root = await consumer.root()
    signers = [str(each) for each in (root.get("providerAddress"), *(root.get("providerAddresses") or {}).values())]
    files = {str(each.path.relative_to(folder)): each.sha256 for each in found if each is not passports[0]}
    try:
        return digests_verified(passports[0].path.read_bytes(), files, [each for each in signers if each != "None"])
    except NotVerified as exc:
        raise Trouble(f"NOT VERIFIED: {exc} (rule {exc.rule}); the files are in {folder}") from None
