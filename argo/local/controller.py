"""Drives every unfinished workflow: one task per workflow, woken by its pods, its clock, its callers.

The order is always: look (`Advance`), store, then act. Starting a pod is harmless to repeat, so a server that was
killed between storing and acting goes on from what it stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, Protocol

import structlog

from argo.local import errors
from argo.local.active import Active
from argo.local.cleanup import Cleanup
from argo.local.engine.advance import Advance
from argo.local.engine.state import OWN, Run
from argo.local.engine.times import stamp
from argo.local.library import TemplateLibrary
from argo.local.podplan import Places
from argo.local.podwatch import PodWatch
from argo.local.rows import Row
from argo.local.runtime import PodRuntime
from argo.local.semaphores import Semaphores
from argo.local.settings import LocalArgoSettings
from argo.local.spec.check import read_spec
from argo.local.spec.submission import Submission, merged_arguments, read_submission, require_name
from argo.local.store import NameTaken, Store

log = structlog.get_logger(__name__)

CREATOR: Final = "local"  # there is one caller, the holder of the token
_ROUND_SECONDS: Final = 1.0  # between two looks at manifest files and expired workflows
Change = Literal["ADDED", "MODIFIED", "DELETED"]


class Listener(Protocol):
    def __call__(self, change: Change, row: Row) -> None: ...


class Controller:
    """`open` takes up what is stored; `close` leaves pods running. Use it from one event loop."""

    def __init__(
        self,
        settings: LocalArgoSettings,
        store: Store,
        library: TemplateLibrary,
        runtime: PodRuntime,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings, self.store, self.library, self.runtime, self._clock = settings, store, library, runtime, clock
        self._locks = Semaphores(library.limit)
        places = Places(settings)
        self._cleanup = Cleanup(places, runtime)
        self.pods = PodWatch(places, runtime, self._cleanup, self._wake)
        self._active: dict[str, Active] = {}
        self._deleting: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.listeners: set[Listener] = set()

    # -- life

    async def open(self) -> None:
        self.library.refresh()
        rows = self.store.unfinished()
        for row in rows:
            if (active := self._take_up(row)) is not None and (lock := active.run.lock) is not None:
                if lock.held:
                    self._locks.hold(lock.key, active.run)
                elif lock.held is None and not active.run.shutdown:
                    self._locks.wait(lock.key, active.run)
        await self._cleanup.sweep(self.store, list(self._active.values()))
        for active in self._active.values():
            self.pods.adopt(active)
            self._drive(active)
        self._background(self._rounds())
        log.info("argo_opened", unfinished=len(rows))

    async def close(self) -> None:
        tasks = [*self._tasks, *(task for active in self._active.values() for task in active.tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._cleanup.close(self._active.values())

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            try:
                if self.library.refresh():
                    for name in self._locks.waiting():
                        self._wake(name)
                for name in self.store.expired(self._clock()):
                    with contextlib.suppress(errors.ApiError):  # a caller was quicker
                        await self.delete(name)
            except OSError:
                log.exception("argo_round_failed")

    # -- calls

    async def create(self, submission: Submission, *, dry_run: bool = False) -> Row:
        """Store a new workflow and let it run. Raises ApiError."""
        self.library.refresh()
        template = None if submission.inline else self.library.get(submission.template)
        if template is not None:
            merged_arguments(template.spec, submission.arguments)
        require_name(submission.name)
        while (deletion := self._deleting.get(submission.name)) is not None:
            await deletion.wait()
        now = self._clock()
        row = Row(
            name=submission.name,
            uid=str(uuid.uuid4()),
            created=now,
            labels={**submission.labels, OWN + "creator": CREATOR},
            annotations=dict(submission.annotations),
            spec={key: value for key, value in submission.spec.items() if key != "arguments"},
            status={"startedAt": None, "finishedAt": None},
        )
        if dry_run:
            if self.store.uid(row.name) is not None:
                raise errors.already_exists(row.name)
            return row
        content = {"name": template.name, "spec": template.document["spec"]} if template else {"name": "", "spec": {}}
        try:
            self.store.insert(row, submission.spec["arguments"], content)
        except NameTaken as exc:
            raise errors.already_exists(row.name) from exc
        self._announce("ADDED", row)
        if (active := self._take_up(row)) is not None:
            self._drive(active)
        return row

    def shut_down(self, name: str, strategy: Literal["Stop", "Terminate"]) -> Row:
        """Ask an unfinished workflow to end. Raises ApiError: 404; 500 when it has finished."""
        active = self._active.get(name)
        if active is None:
            raise (
                errors.workflow_not_found(name)
                if self.store.uid(name) is None
                else errors.finished(name, self.settings.namespace)
            )
        row, run = active.row, active.run
        if run.finished:
            raise errors.finished(name, run.namespace)
        if run.shutdown != "Terminate":
            run.shutdown = row.spec["shutdown"] = strategy
        row.labels |= {OWN + "action": strategy, OWN + "actor": CREATOR}
        self.store.save(row, labels_changed=True)
        self._announce("MODIFIED", row)
        self._wake(name)
        return row

    async def delete(self, name: str) -> None:
        """Forget a workflow, with its pods, volumes and logs. Raises ApiError 404."""
        row = self.store.get(name)
        if row is None:
            raise errors.workflow_not_found(name)
        deletion = self._deleting[name] = asyncio.Event()
        try:
            active = self._active.pop(name, None)
            self.store.delete(name)
            self._announce("DELETED", row)
            for other in self._locks.release(name):
                self._wake(other)
            if active is not None:
                active.close()
            await self._cleanup.remove_all(row, active)
        finally:
            del self._deleting[name]
            deletion.set()

    def current(self, name: str) -> Row:
        """Raises ApiError 404."""
        active = self._active.get(name)
        row = active.row if active is not None else self.store.get(name)
        if row is None:
            raise errors.workflow_not_found(name)
        return row

    # -- one workflow

    def _take_up(self, row: Row) -> Active | None:
        """The state of a stored workflow; None for one that may not run, which ends here."""
        arguments, content = self.store.content(row)
        document = {"metadata": {"name": row.name}, "spec": {**row.spec, "arguments": arguments, "shutdown": None}}
        document["spec"].pop("shutdown")
        submission = read_submission(document, self.settings.namespace)
        if submission.violation:
            self._refuse(row, submission)
            return None
        spec = read_spec(content["name"], content["spec"])
        run = Run(
            name=row.name,
            uid=row.uid,
            namespace=self.settings.namespace,
            created_at=row.created,
            spec=spec,
            arguments=merged_arguments(spec, submission.arguments),
            shutdown=row.spec.get("shutdown", ""),
        )
        run.read_status(row.status)
        active = self._active[row.name] = Active(run, row)
        return active

    def _refuse(self, row: Row, submission: Submission) -> None:
        now = self._clock()
        ended = None if submission.inline else stamp(now)
        row.status = {"phase": "Error", "startedAt": ended, "finishedAt": ended, "progress": "0/0"}
        row.status |= {"message": submission.violation, "conditions": [{"type": "Completed", "status": "True"}]}
        row.labels |= {OWN + "completed": "true", OWN + "phase": "Error"}
        row.finished = now
        self.store.save(row, labels_changed=True)
        self._announce("MODIFIED", row)

    def _wake(self, name: str) -> None:
        if (active := self._active.get(name)) is not None:
            active.wake.set()

    def _drive(self, active: Active) -> None:
        active.wake.set()
        active.spawn(self._live(active))

    async def _live(self, active: Active) -> None:
        while not active.run.finished:
            await active.wake.wait()
            active.wake.clear()
            try:
                self._advance(active)
            except Exception as exc:  # (a fault of ours may end this workflow, not the others)
                log.exception("workflow_failed", workflow=active.run.name)
                active.run.phase, active.run.finished_at = "Error", self._clock()
                active.run.message = f"internal error: {type(exc).__name__}"
                self._store(active)
        for other in self._locks.release(active.run.name):
            self._wake(other)
        await self._cleanup.finish(active)
        self._active.pop(active.run.name, None)

    def _advance(self, active: Active) -> None:
        run = active.run
        held = run.lock is not None and run.lock.held
        step = Advance(run, active.observations, self._locks, self._clock())
        step.perform()
        self._store(active)
        if held and run.lock is not None and not run.lock.held:
            for other in self._locks.release(run.name):
                self._wake(other)
        for node in step.start:
            self.pods.start(active, node)
        for node in step.stop:
            self.pods.stop(active, node)
        active.wake_in(None if step.wake_at is None else max(0.0, step.wake_at - self._clock()))

    def _store(self, active: Active) -> None:
        """Write the workflow if it has changed. Nobody sees a state that is not stored."""
        run, row = active.run, active.row
        status = run.status()
        if status == row.status:
            return
        labels = {
            OWN + "phase": run.phase,
            OWN + "completed": "true" if run.finished else "false",
            OWN + "workflow-template": row.spec["workflowTemplateRef"]["name"],
            **run.spec.workflow_metadata.labels,
        }
        changed = any(row.labels.get(key) != value for key, value in labels.items())
        row.labels |= labels
        row.annotations |= {OWN + "pod-name-format": "v2", **run.spec.workflow_metadata.annotations}
        row.status = status
        if run.finished and row.finished is None:
            row.finished = run.finished_at
            row.expires = _expiry(run)
        self.store.save(row, labels_changed=changed)
        self._announce("MODIFIED", row)

    def _announce(self, change: Change, row: Row) -> None:
        for listener in tuple(self.listeners):
            listener(change, row)


def _expiry(run: Run) -> float | None:
    ttl = run.spec.ttl_strategy
    special = ttl.seconds_after_success if run.phase == "Succeeded" else ttl.seconds_after_failure
    seconds = ttl.seconds_after_completion if special is None else special
    return None if seconds is None or run.finished_at is None else run.finished_at + seconds
