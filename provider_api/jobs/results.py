"""Results of a job: their list, and their bytes from the result store.

The list is in the output of the publishing step while it is short, else in the manifest beside the files. Either way
the step's output has the manifest's digest, so what is delivered is what was published. Behind the files stands the
job's passport, once the job is over.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from cachetools import LRUCache

from argo.client.records import Workflow
from contract import names
from contract.manifest import OWN_LOGS, FileSummary, Manifest, ManifestInvalid, ResultFile, Summary
from ocean.keys import Key
from ocean.kit.single_flight import SingleFlight
from provider_api.http.errors import NeighbourAway, NeighbourFailed, Refused
from provider_api.jobs import ends
from provider_api.jobs.approvals import Approval, Approvals, Finished
from provider_api.jobs.expiry import is_expired
from provider_api.jobs.passports import Outcome, PassportFile, is_over, passport_file, passport_size
from provider_api.jobs.received import OwnerOf, Received
from provider_api.jobs.start_record import record_of
from records.decision import Decision
from records.passport import PASSPORT_NAME, PASSPORT_TYPE
from records.trust import Trust
from results import store as pod_store
from results.object_names import asset_folder

log = structlog.get_logger(__name__)

_REMEMBERED_BYTES = 32 * 1024 * 1024  # of manifests, about; a larger one is read each time
_REMEMBERED_SIZES = 10_000  # of passports
_ENTRY_BYTES = 600  # of memory for one file, beside its names
_NAME_BYTES = 100  # of a result's name in a list, on average, at most: publishing allows a MiB of names
_LOG_TYPES = {
    names.CONFIGURATION: "configrationLog",  # so spelled
    names.ALGORITHM: "algorithmLog",
    names.FILTERING: "filteringLog",
    names.PUBLISHING: "publishLog",
}
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


MOST_LISTED = 10_000  # results of one job in an answer: all that publishing lets a job have
_Key = tuple[str, str | None]  # folder, digest of its manifest


@dataclass(frozen=True, slots=True)
class Listed:
    """A part of a job's results, in their order and without gaps, since clients take a result's place for its index.
    `next_start`: the index of the first one that is not in it, None at the end."""

    entries: list[dict[str, Any]]
    count: int  # of all results
    next_start: int | None


class RangeUnsatisfiable(Exception):
    """The requested range lies behind the end of the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes [start, end) of a file."""

    start: int
    end: int


class ResultStore:
    """The service's view of the store that the publishing pods write to."""

    def __init__(self, store: pod_store.Store, retry_after_seconds: int, key: Key, owner_of: OwnerOf) -> None:
        """`key` signs passports. `owner_of`: who decides on a dataset's part in results."""
        self._store = store
        self._retry = retry_after_seconds
        self._key = key
        self._approvals = Approvals(store, key, owner_of)
        self._passport_sizes = LRUCache[_Key, int](_REMEMBERED_SIZES)
        self._manifests = LRUCache[_Key, Manifest](_REMEMBERED_BYTES, getsizeof=_size_of)
        self._loading = SingleFlight[_Key, Manifest]()
        self._large = asyncio.Semaphore(1)  # reading a large manifest costs processor time: one after the other

    async def approval(self, workflow: Workflow) -> Approval | None:
        """Where the results of a job that is over stand, if they wait for owners; None where they wait for nobody, or
        nothing of the algorithm is there to wait. Raises NeighbourAway, NeighbourFailed."""
        summary = summary_of(workflow)
        if summary is None or summary.count == 0 or summary.withheld:
            return None
        try:
            return await self._approvals.of(self._finished(workflow, summary))
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc

    async def decide(self, workflow: Workflow, approval: Approval, received: Received[Decision]) -> Approval:
        """Keep an owner's decision on results that wait: where they stand then. Raises Refused, ChainUnavailable,
        NeighbourAway, NeighbourFailed."""
        summary = summary_of(workflow)
        if summary is None:
            raise Refused(f"No results of job {workflow.name} wait for a decision", 404)
        job = self._finished(workflow, summary)
        try:
            await self._approvals.decide(job, approval, received)
            after = await self._approvals.of(job) or approval
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc
        if not is_expired(workflow, time.time()):
            await self._remove_if_refused(workflow, after)
        return after

    async def program(self, workflow: Workflow) -> str:
        """The digest of what ran, by which an owner may trust it; "" where that says nothing for sure: an image was
        pulled by a name that may mean another one tomorrow, or the pods were of before there was such a digest."""
        summary, record = summary_of(workflow), record_of(workflow)
        if summary is None or record is None:
            return ""
        if record.image_pulled and "@sha256:" not in workflow.annotations.get(names.IMAGE, ""):
            return ""
        outcome = await self._outcome(workflow)
        return "" if outcome is None or outcome.provisioned is None else outcome.provisioned.program

    async def trust(self, did: str, program: str, account: str) -> Trust | None:
        """What an owner (a checksum address) has said about an algorithm on his dataset last. Raises NeighbourAway,
        NeighbourFailed."""
        try:
            kept = await self._approvals.trusts.last(did, program, account)
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc
        return None if kept is None else kept.trust

    async def keep_trust(self, received: Received[Trust]) -> None:
        """Add a statement of a proven owner. Raises Refused, NeighbourAway, NeighbourFailed."""
        try:
            await self._approvals.trusts.keep(received)
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc

    def _finished(self, workflow: Workflow, summary: Summary) -> Finished:
        return Finished(workflow, summary.digest, lambda: self.program(workflow))

    async def remove_refused(self, workflow: Workflow) -> bool:
        """Remove what the owners of a job's datasets have refused, or nobody released in time. Whether they have.
        Raises Refused, NeighbourAway, NeighbourFailed."""
        if is_expired(workflow, time.time()):
            return True
        return await self._remove_if_refused(workflow, await self.approval(workflow))

    async def _remove_if_refused(self, workflow: Workflow, approval: Approval | None) -> bool:
        if approval is None or approval.standing != "refused":
            return False
        manifest = await self.manifest(workflow)
        hidden = [file.key for file in manifest.files if file.type not in OWN_LOGS]
        try:
            await pod_store.delete_objects(self._store, hidden)
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc
        return True

    async def manifest(self, workflow: Workflow) -> Manifest:
        """All that was published, for an owner who has to decide.

        Raises Refused (404), NeighbourAway, NeighbourFailed.
        """
        summary = summary_of(workflow)
        if summary is None or summary.count == 0:
            raise Refused(f"No results for job {workflow.name}", 404)
        return await self._published(workflow, summary)

    async def listed(
        self, workflow: Workflow, approval: Approval | None, start: int = 0, most: int = MOST_LISTED
    ) -> Listed:
        """Entries of a job object's `results` from the index `start` on, as many as one answer holds. None until
        something is published."""
        outcome = await self._outcome(workflow)
        if outcome is None:
            return Listed([], 0, None)
        visible = outcome.visible(approval)
        every = [entry(file) for file in visible.files] + self._passport_entry(workflow, visible, approval)
        left = most * _NAME_BYTES
        entries: list[dict[str, Any]] = []
        for found in every[start:]:
            left -= len(found["filename"])
            if len(entries) >= most or left < 0:
                return Listed(entries, len(every), found["index"])
            entries.append(found)
        return Listed(entries, len(every), None)

    async def digests(self, workflow: Workflow, approval: Approval | None) -> dict[int, str]:
        """SHA-256 of the files that are listed, by index; without those of an older version, which names none, and the
        passport's. Raises nothing: as for a list."""
        outcome = await self._outcome(workflow)
        shown = () if outcome is None else outcome.visible(approval).files
        return {file.index: file.sha256 for file in shown if file.sha256}

    def _passport_entry(self, workflow: Workflow, outcome: Outcome, approval: Approval | None) -> list[dict[str, Any]]:
        """The last result of a job that is over: its index is the next free one, so that those of files stay."""
        record = record_of(workflow)
        if record is None or not is_over(workflow, approval):
            return []
        key = workflow.name, outcome.manifest_digest
        if (size := self._passport_sizes.get(key)) is None:
            size = self._passport_sizes[key] = passport_size(workflow, record, outcome, approval)
        return [{"index": len(outcome.files), "filename": PASSPORT_NAME, "filesize": size, "type": PASSPORT_TYPE}]

    async def _outcome(self, workflow: Workflow) -> Outcome | None:
        """None where nothing is published, or no longer; and where a list that stands in the store cannot be read."""
        summary = summary_of(workflow)
        if summary is None or summary.count == 0 or is_expired(workflow, time.time()):
            return None
        if summary.files is not None:
            return Outcome(summary.digest, summary.files, summary.provisioned)
        try:
            manifest = await self._manifest(workflow.name, summary.digest)
        except (pod_store.ResultMissing, pod_store.StoreUnavailable, ManifestInvalid) as exc:
            log.warning("results_not_listed", job_id=workflow.name, reason=str(exc))
            return None
        return Outcome(summary.digest, manifest.files, manifest.provisioned)

    async def file(self, workflow: Workflow, index: int) -> ResultFile | PassportFile:
        """A file of the manifest, or the passport behind them. Raises Refused (404), NeighbourAway, NeighbourFailed."""
        summary = summary_of(workflow)
        if summary is None or summary.count == 0:
            raise Refused(f"No results for job {workflow.name}", 404)
        if is_expired(workflow, time.time()):
            raise Refused(f"The results of job {workflow.name} were kept until their time was over.", 404)
        manifest = await self._published(workflow, summary)
        approval, record = await self.approval(workflow), record_of(workflow)
        visible = Outcome(summary.digest, manifest.files, manifest.provisioned).visible(approval)
        if index < len(visible.files):
            return manifest.files[index]
        if index > len(visible.files) or record is None or not is_over(workflow, approval):
            raise Refused(f"No such index {index} in this compute job", 404)
        return passport_file(workflow, record, visible, approval, self._key)

    async def _published(self, workflow: Workflow, summary: Summary) -> Manifest:
        """Raises Refused (404), NeighbourAway, NeighbourFailed."""
        try:
            return await self._manifest(workflow.name, summary.digest)
        except pod_store.ResultMissing:
            raise Refused(f"No results for job {workflow.name}", 404) from None
        except ManifestInvalid as exc:
            log.warning("manifest_invalid", job_id=workflow.name, reason=str(exc))
            raise NeighbourFailed("The results are not those that were published.") from exc
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc

    async def published(self, token: str, index: int) -> ResultFile:
        """A file of an asset that was made of results. Raises Refused (404), NeighbourAway, NeighbourFailed."""
        folder = asset_folder(token)
        try:
            manifest = await self._manifest(folder, None)
        except pod_store.ResultMissing:
            raise Refused("No such file.", 404) from None
        except ManifestInvalid as exc:
            log.warning("asset_manifest_invalid", reason=str(exc))
            raise NeighbourFailed("The files are not those that were published.") from exc
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc
        if index >= len(manifest.files):
            raise Refused("No such file.", 404)
        return manifest.files[index]

    async def log(self, workflow: Workflow, step: str, most_bytes: int) -> str | None:
        """The published log of a step, at most so much of it; None if there is none. Raises NeighbourAway."""
        kind = _LOG_TYPES[step]
        outcome = await self._outcome(workflow)
        shown = () if outcome is None else outcome.visible(await self.approval(workflow)).files
        index = next((one.index for one in shown if one.type == kind), None)
        if index is None:
            return None
        file = await self.file(workflow, index)
        pieces = [piece async for piece in await self.stream(file, Part(0, min(file.filesize, most_bytes)))]
        return b"".join(pieces).decode(errors="replace")

    async def stream(self, file: ResultFile | PassportFile, part: Part) -> AsyncIterator[bytes]:
        """The bytes of one part. The first piece is fetched before this returns, so that a missing file is an answer.

        Raises Refused (404), NeighbourAway.
        """
        if isinstance(file, PassportFile):
            return _at_once(file.content[part.start : part.end])
        pieces = pod_store.stream_object(self._store, file.key, start=part.start, end=part.end)
        try:
            first = await anext(pieces, b"")
        except pod_store.ResultMissing:
            raise Refused("The result is no longer available.", 404) from None
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc
        return _continued(first, pieces)

    async def delete(self, job_id: str) -> None:
        """All that a job has published. Nothing there is fine. Raises NeighbourAway, NeighbourFailed."""
        try:
            await pod_store.delete_job(self._store, job_id)
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc
        for key in [key for key in self._manifests if key[0] == job_id]:
            del self._manifests[key]

    async def stored(self) -> AsyncIterator[pod_store.Stored]:
        """The jobs that have something in the store. Raises NeighbourAway, NeighbourFailed."""
        try:
            async for found in pod_store.stored_jobs(self._store):
                yield found
        except pod_store.StoreUnavailable as exc:
            raise self._away(exc) from exc

    async def _manifest(self, job_id: str, digest: str | None) -> Manifest:
        """All who want the same one share one reading. Raises ResultMissing, StoreUnavailable, ManifestInvalid."""
        key = (job_id, digest)
        if (known := self._manifests.get(key)) is not None:
            return known
        return await self._loading.run(key, lambda: self._loaded(key))

    async def _loaded(self, key: _Key) -> Manifest:
        manifest = await pod_store.load_manifest(self._store, *key, one_at_a_time=self._large)
        with suppress(ValueError):  # larger than all that is remembered
            self._manifests[key] = manifest
        return manifest

    def _away(self, exc: pod_store.StoreUnavailable) -> NeighbourAway | NeighbourFailed:
        log.warning("result_store_failed", action=exc.action, cause=exc.cause)
        if exc.transient:
            return NeighbourAway("The result store does not answer at the moment.", self._retry)
        return NeighbourFailed("The result store refused a request of ours.")


def _size_of(manifest: Manifest) -> int:
    """Bytes of memory, about."""
    files = sum(_ENTRY_BYTES + len(file.path) + len(file.filename) + len(file.key) for file in manifest.files)
    return files + sum(_ENTRY_BYTES + len(skipped.path) for skipped in manifest.left_out)


async def _at_once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _continued(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def summary_of(workflow: Workflow) -> Summary | None:
    """What the publishing step said it published."""
    summary = ends.summary_of(workflow)
    if summary is None and ends.told_results(workflow):
        log.warning("results_unreadable", job_id=workflow.name)
    return summary


def results_did_of(workflow: Workflow) -> str | None:
    """The asset that a job's outputs have become. It outlasts the results."""
    summary = summary_of(workflow)
    return None if summary is None else summary.did


def entry(file: ResultFile | FileSummary) -> dict[str, Any]:
    return {"index": file.index, "filename": file.filename, "filesize": file.filesize, "type": file.type}


def requested_part(header: str | None, size: int) -> Part | None:
    """The part that a Range header asks for; None for the whole file (no, several, or malformed ranges).

    Raises RangeUnsatisfiable.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = int(match[2])
        if length == 0 or size == 0:
            raise RangeUnsatisfiable
        return Part(max(0, size - length), size)
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise RangeUnsatisfiable
    return Part(start, min(size, int(match[2]) + 1) if match[2] else size)
