"""What reads by name have found, to be shown again for as long as a watch says that nothing has changed.

Only reads write here, and the watch only takes away: an event says that a workflow has a version, and a record of any
other version is dropped. So `metadata.resourceVersion` is never ordered, only compared for equality, which is all that
Kubernetes allowed before 1.35. A read goes to Kubernetes itself and is never stale, so what it finds is at least as new
as every event that arrived before it began; what changes later arrives as an event, because the watch was open before.
What changed while it was under way is not known, and then its answer is not kept.

A watch can be silent although it should speak: its keep-alives come from Argo Server and prove nothing about what
stands behind that. Therefore no record is shown for longer than CONFIRMED_SECONDS without another read, and when such
a read finds a change that the watch has not told, the watch is not believed any more.

Who shows a workflow for as long as somebody looks at it listens: it is told that there may be something new to read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from argo.client.parsing import Json, nodes_left_out
from argo.client.records import ARCHIVING, Workflow
from contract import names

CONFIRMED_SECONDS: Final = 10.0
"""How old a record may get, whatever the watch says. A consumer who asks every second costs a tenth of the calls then,
and a status that a broken watch holds back is late by less than a step of a job takes on a cluster."""
MOST_RECORDS: Final = 1000
Heard = Callable[[], None]
MOST_BYTES: Final = 8 << 20  # of their JSON, which takes about four times as much room when it is parsed


@dataclass(slots=True, eq=False)
class Reading:
    """One read by name that is under way."""

    name: str
    epoch: int
    number: int
    began: float
    told: str | None = None  # the version of the last event that arrived meanwhile; "" for a change without one


@dataclass(frozen=True, slots=True)
class _Record:
    workflow: Workflow
    version: str
    size: int
    read_at: float  # when its read began
    number: int  # when it ended, in the order of reads


class SeenWorkflows:
    """The records of one Argo Server, bounded in number and bytes. For one event loop; nothing in here waits."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        most_records: int = MOST_RECORDS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        least = most_bytes // most_records  # that a record counts, so that both bounds hold
        self._records: LRUCache[str, _Record] = LRUCache(most_bytes, lambda record: max(record.size, least))
        self._readings: dict[str, list[Reading]] = {}
        self._listeners: dict[str, list[Heard]] = {}
        self._clock, self._most_bytes = clock, most_bytes
        self._epoch, self._number = 0, 0
        self.alive = False  # whether a watch says what changes
        self.hits, self.misses = 0, 0

    def __len__(self) -> int:
        return len(self._records)

    def find(self, name: str) -> Workflow | None:
        """The workflow as it was read at most CONFIRMED_SECONDS ago, if nothing has been told about it since."""
        record = self._records.get(name) if self.alive else None
        if record is None or self._clock() - record.read_at >= CONFIRMED_SECONDS:
            self.misses += 1
            return None
        self.hits += 1
        return record.workflow

    # --- reads -------------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self, name: str) -> Iterator[Reading]:
        """Around a read by name, from before it is sent until its answer was given to `keep`."""
        self._number += 1
        reading = Reading(name, self._epoch, self._number, self._clock())
        self._readings.setdefault(name, []).append(reading)
        try:
            yield reading
        finally:
            others = self._readings[name]
            others.remove(reading)
            if not others:
                del self._readings[name]

    def keep(self, reading: Reading, document: Json, workflow: Workflow) -> None:
        """Keep what the read has found, if the watch will tell of its next change."""
        name, version = reading.name, _version(document)
        if not self.alive or reading.epoch != self._epoch or reading.told not in (None, version):
            return
        if not version or not _is_watched(document, workflow):
            self._records.pop(name, None)
            return
        known = self._records.get(name)
        if known is not None and known.version != version:
            if reading.number < known.number:
                return  # both reads were under way at once, and nobody knows which is newer
            if reading.told is None:
                self.lost()
                return
        size = len(json.dumps(document, default=str))
        if size <= self._most_bytes:
            self._number += 1
            self._records[name] = _Record(workflow, version, size, reading.began, self._number)

    # --- changes -----------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """A watch is open; what was read before is not covered by it."""
        self._begin(alive=True)

    def lost(self) -> None:
        """There is no watch any more, or none that can be believed."""
        self._begin(alive=False)

    def _begin(self, *, alive: bool) -> None:
        self.alive = alive
        self._epoch += 1
        self._records.clear()
        for name in [*self._listeners]:
            self._tell(name)

    def changed(self, name: str, version: str = "") -> None:
        """The workflow has that version now; "": it was deleted, or this process has asked for a change of it."""
        for reading in self._readings.get(name, ()):
            if reading.told != "":  # what was asked for here must be seen here; older events may still arrive
                reading.told = version
        known = self._records.get(name)
        if known is not None and known.version == version:
            return  # that is what was read last
        if known is not None:
            del self._records[name]
        self._tell(name)

    # --- listeners ---------------------------------------------------------------------------------------------------

    @contextmanager
    def listening(self, name: str, heard: Heard) -> Iterator[None]:
        """`heard` is called when the workflow may have changed, and when a watch begins or ends. It must not wait."""
        self._listeners.setdefault(name, []).append(heard)
        try:
            yield
        finally:
            others = self._listeners[name]
            others.remove(heard)
            if not others:
                del self._listeners[name]

    def _tell(self, name: str) -> None:
        for heard in tuple(self._listeners.get(name, ())):
            heard()


def _version(document: Json) -> str:
    metadata = document.get("metadata") or {}
    return str(metadata.get("resourceVersion") or "")


def _is_watched(document: Json, workflow: Workflow) -> bool:
    """Whether events tell of its changes: not of what the archive has, nor of what is no job of ours."""
    return names.OWNER in workflow.labels and ARCHIVING not in workflow.labels and not nodes_left_out(document)
