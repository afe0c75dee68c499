"""Results in a folder: each one whole or not at all, continued where a transfer broke off, verified at the end.

When everything is there and the job has a passport, all files are verified by it, as `c2d verify` does, and trust goes
to the accounts that the provider names: it is the provider that was asked to run the job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from client.answers import accounts_in
from client.exits import Trouble, Unreachable, Unusable
from client.jobs.facts import Job, results_of
from client.jobs.transfer import FOLDER_OF_PARTS, Parts, digest_of, fetched
from client.printing import Printer, size
from client.provider import Provider
from client.text import harmless
from client.verify import digests_verified
from records.passport import PASSPORT_NAME, PASSPORT_TYPE
from records.verify import NotVerified, read_passport

_LONGEST_NAME: Final = 255  # bytes
_MOST_FOLDERS: Final = 30  # of a result's path
_MOST_FILES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """`path`: where the file is. `sha256`: of its bytes."""

    index: int
    type: str
    path: Path
    size: int
    sha256: str


async def fetch_all(consumer: Provider, job: Job, folder: Path, printer: Printer) -> list[Fetched]:
    """All results of a job, into a folder. A file that is there already, whole and the same, is not fetched again, and
    one that is not the same is never touched.

    Raises Unusable (a file in the way), Unreachable (a name that would leave the folder), ConsumerError, OSError.
    """
    entries = await _all_entries(consumer, job)
    targets = [place_of(folder, entry, index) for index, entry in enumerate(entries)]
    if len({str(target) for target in targets}) < len(targets):
        raise Unreachable("two results of this job have the same name, so they do not fit into one folder")
    job_id = str(job["jobId"])
    parts = Parts(folder, job_id)
    passport, digests = None, frozenset[str]()
    found: dict[int, Fetched] = {}
    # The passport first: by its digests, files that are there already are known. Its place it takes last.
    for place in sorted(range(len(entries)), key=lambda each: entries[each].get("type") != PASSPORT_TYPE):
        entry, target = entries[place], targets[place]
        index, kind, said = int(entry["index"]), str(entry.get("type", "")), entry.get("filesize")
        with printer.status(f"fetching {entry.get('filename') or index} ({size(said or 0)})"):
            if kind == PASSPORT_TYPE:
                _require_of_job(target, job_id)
                passport = await fetched(consumer, parts, index, None)
                digests = _named_digests(passport)
                found[place] = Fetched(index, kind, target, passport.stat().st_size, digest_of(passport))
                continue
            digest = digest_of(target) if target.is_file() else ""
            if digest not in digests:
                digest = _placed(await fetched(consumer, parts, index, said), target)
        found[place] = Fetched(index, kind, target, target.stat().st_size, digest)
    for each in found.values():
        if passport is not None and each.type == PASSPORT_TYPE:
            passport.replace(each.path)
    parts.remove()
    return [found[place] for place in range(len(entries))]


def _named_digests(passport: Path) -> frozenset[str]:
    """Those of its files; none where it cannot be read, which its verification will say."""
    try:
        return frozenset(subject.sha256 for subject in read_passport(passport.read_bytes()).statement.subjects)
    except NotVerified:
        return frozenset()


def _require_of_job(target: Path, job_id: str) -> None:
    """A passport has another signature each time, so the one of before is replaced, but not that of another job. Raises
    Unusable."""
    if not target.is_file():
        return
    try:
        before = read_passport(target.read_bytes()).job_id
    except NotVerified:
        before = "unreadable"
    if before != job_id:
        raise Unusable(f"{target} is of another job ({before}): name another folder with --output")


def _placed(part: Path, target: Path) -> str:
    """The digest of a file that takes its place. Raises Unusable where another one is there."""
    digest = digest_of(part)
    if target.exists() and not (target.is_file() and digest_of(target) == digest):
        raise Unusable(f"{target} is there already, with another content: name another folder with --output")
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)
    return digest


async def _all_entries(consumer: Provider, job: Job) -> list[dict[str, Any]]:
    """Long lists are cut, and say so."""
    entries, following = results_of(job), job.get("resultsNext")
    while isinstance(following, int):
        part = await consumer.results_from(str(job["jobId"]), following)
        known = {entry["index"] for entry in entries}
        added = [entry for entry in results_of(part) if entry["index"] not in known]
        if not added or len(entries) > _MOST_FILES:
            raise Unreachable("the provider's list of results does not end")
        entries += added
        following = part.get("resultsNext")
    return sorted(entries, key=lambda entry: int(entry["index"]))


def place_of(folder: Path, entry: Mapping[str, Any], index: int) -> Path:
    """Where a result goes: by its name, whose control characters are written as escapes, and which is cut where no file
    system takes it. Raises Unreachable for a name that would lead out of the folder."""
    name = str(entry.get("filename") or f"result-{index}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or name.startswith("/") or ".." in parts or len(parts) > _MOST_FOLDERS:
        raise Unreachable(f"the provider names a result {name[:200]!r}, which is no place in a folder")
    if parts[0] == FOLDER_OF_PARTS:
        parts[0] = f"_{parts[0]}"
    return folder.joinpath(*(_short(harmless(part, longest=len(part)), index) for part in parts))


def _short(part: str, index: int) -> str:
    """At most as many bytes as a file's name may have, told apart by the result's number."""
    if len(part.encode()) <= _LONGEST_NAME:
        return part
    suffix = Path(part).suffix if len(Path(part).suffix.encode()) <= 20 else ""
    return part.encode()[: _LONGEST_NAME - 40].decode(errors="ignore") + f"-{index}{suffix}"


async def verified(consumer: Provider, folder: Path, found: Sequence[Fetched]) -> str | None:
    """The account that signed the passport of exactly these files; None where the provider gives no passport.

    Raises Trouble where the files are not what the passport says.
    """
    passports = [each for each in found if each.type == PASSPORT_TYPE or each.path.name == PASSPORT_NAME]
    if not passports:
        return None
    signers = accounts_in(await consumer.root())
    files = {str(each.path.relative_to(folder)): each.sha256 for each in found if each is not passports[0]}
    try:
        return digests_verified(passports[0].path.read_bytes(), files, signers)
    except NotVerified as exc:
        raise Trouble(f"NOT VERIFIED: {exc} (rule {exc.rule}); the files are in {folder}") from None
