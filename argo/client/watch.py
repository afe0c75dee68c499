"""One watch for each Argo Server: which of our workflows have changed. It feeds `SeenWorkflows`.

Events carry names and versions only; what a workflow is like now is read by name when somebody asks. Server-sent events
are asked for, because Argo Server fills their silences with a comment every 15 seconds and other streams not at all.
The watch begins at the version of a list, so that no change is missed between the two. It ends in many ways (Kubernetes
closes it or has forgotten the version, a proxy or Argo goes away, the token is refused), and all are answered alike:
what was kept is dropped, statuses are read by name as without a watch, and after a pause another one is opened.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from argo.client.errors import ArgoRefused, ArgoUnavailable
from argo.client.seen import SeenWorkflows
from argo.client.streaming import Streams, result_of
from contract import names
from ocean.kit.patience import ask_patiently

log = structlog.get_logger(__name__)

_TOLD_SECONDS: Final = 600.0

# Only what is named: then Argo Server need not unpack nodes. Without `error` its errors would be empty.
FIELDS: Final = "result.type,result.object.metadata.name,result.object.metadata.resourceVersion,error"
_EVENTS: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Pace:
    """When a watch is given up, and how long until the next one. Seconds."""

    silence_seconds: float = 40.0  # two of Argo's comments are missing then
    life_seconds: float = 300.0  # of one watch; then Argo and Kubernetes look at the token and its rights again
    pause_seconds: float = 5.0
    refused_seconds: float = 60.0  # the pause where Argo has said no: somebody must change something first


PACE: Final = Pace()


class WorkflowWatch:
    """`since` answers the version to watch from, and may raise ArgoError as a query does."""

    def __init__(
        self,
        streams: Streams,
        seen: SeenWorkflows,
        since: Callable[[], Awaitable[str]],
        pace: Pace,
    ) -> None:
        self._streams, self._seen, self._since, self._pace = streams, seen, since, pace
        self._refusal_told = False

    async def run(self) -> None:
        """Watch for ever; end it by cancelling."""
        while True:
            pause = self._pace.refused_seconds
            try:
                await ask_patiently(
                    self._watch,
                    ArgoUnavailable,
                    end=math.inf,
                    pause_seconds=self._pace.pause_seconds,
                    tell=lambda trouble, _: log.warning("argo_watch_lost", reason=trouble.reason),
                    tell_seconds=_TOLD_SECONDS,
                )
                pause = 0.0
            except ArgoRefused as exc:
                if not self._refusal_told:
                    log.warning("argo_watch_refused", status=exc.status, reason=exc.message)
                self._refusal_told = True
            except Exception:
                log.exception("argo_watch_failed")
            await asyncio.sleep(pause)

    async def _watch(self) -> None:
        """One watch, until it is old enough to be renewed. Raises ArgoUnavailable when it ends before, ArgoRefused."""
        life = self._pace.life_seconds * random.uniform(0.8, 1.0)  # noqa: S311  (so that replicas do not come at once)
        try:
            async with asyncio.timeout(life) as limit:
                await self._follow()
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._seen.lost()

    async def _follow(self) -> None:
        query = {"listOptions.labelSelector": names.OWNER, "listOptions.resourceVersion": await self._since()}
        query["fields"] = FIELDS
        path = f"api/v1/workflow-events/{self._streams.namespace}"
        watching = self._streams.open(path, query, accept=_EVENTS, silence_seconds=self._pace.silence_seconds)
        async with watching as lines:
            self._seen.opened()
            async for line in lines:
                if not self._seen.alive:
                    raise ArgoUnavailable("its watch has missed a change", definite=True)
                changed = change_of(line)
                self._refusal_told = False
                if changed is not None:
                    self._seen.changed(*changed)
        raise ArgoUnavailable("its watch has ended", definite=True)


def change_of(line: bytes) -> tuple[str, str] | None:
    """The name of the workflow that a line tells about, and its version, "" if it is gone; None for other lines.

    Raises ArgoUnavailable, ArgoRefused for a record that tells of an error, or that cannot be read.
    """
    text = line.removeprefix(b"data:").strip()
    if not text.startswith(b"{"):
        if line.startswith(b"data:"):
            raise ArgoUnavailable("its watch cannot be read", definite=True)
        return None  # a comment, or the end of an event
    result = result_of(text)
    kind, found = result.get("type"), result.get("object")
    if kind == "BOOKMARK":
        return None
    metadata = found.get("metadata") if isinstance(found, dict) else None
    given = metadata if isinstance(metadata, dict) else {}
    name, version = given.get("name"), given.get("resourceVersion")
    if kind not in ("ADDED", "MODIFIED", "DELETED") or not (isinstance(name, str) and name):
        raise ArgoUnavailable("its watch cannot be read", definite=True)
    return name, version if kind != "DELETED" and isinstance(version, str) else ""
