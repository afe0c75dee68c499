"""Drives every unfinished workflow: one task per workflow, woken by its pods, its clock, its callers.

The order is always: look (`Advance`), store, then act. Starting a pod is harmless to repeat, so a server that was
killed between storing and acting goes on from what it stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

import structlog

from argo.local import errors
from argo.local.engine.advance import Advance
from argo.local.engine.state import OWN, Run
from argo.local.engine.stored import Part, Unreadable
from argo.local.engine.times import stamp
from argo.local.pods.runtime import PodRuntime
from argo.local.settings import LocalArgoSettings
from argo.local.spec.check import read_spec
from argo.local.spec.library import TemplateLibrary
from argo.local.spec.submission import (
    Submission,
    entered,
    merged_arguments,
    read_submission,
    require_name,
)
from argo.local.troubles import AGAIN_SECONDS, STORAGE, Troubles, report
from argo.local.workflows.active import Active
from argo.local.workflows.cleanup import Cleanup
from argo.local.workflows.given_up import given_up, require_readable
from argo.local.workflows.pod_spec import Places
from argo.local.workflows.podwatch import PodWatch
from argo.local.workflows.rows import Row
from argo.local.workflows.semaphores import Semaphores
from argo.local.workflows.store import NameTaken, Store
from argo.local.workflows.tasks import Tasks

log = structlog.get_logger(__name__)

CREATOR: Final = "local"  # there is one caller, the holder of the token
_ROUND_SECONDS: Final = 1.0  # between two looks at manifest files and expired workflows
_SHUTDOWNS: Final = frozenset({"", "Stop", "Terminate"})
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
        self._unsaved: dict[str, Row] = {}  # given up, but not yet stored
        self._tasks, self._troubles = Tasks(), Troubles()
        self.listeners: set[Listener] = set()

    # -- life

    async def open(self) -> None:
        self.library.refresh()
        rows = self.store.unfinished()
        for row in rows:
            if (active := self._restore(row)) is not None and (lock := active.run.lock) is not None:
                if lock.held:
                    self._locks.hold(lock.key, active.run)
                elif lock.held is None and not active.run.shutdown:
                    self._locks.wait(lock.key, active.run)
        await self._cleanup.sweep(self.store, list(self._active.values()))
        for active in self._active.values():
            try:
                self.pods.adopt(active)
            except Exception as exc:  # noqa: BLE001  (told)
                report("pods_not_adopted", exc, workflow=active.run.name)
                active.fault = f"its pods cannot be taken up: {type(exc).__name__}"
            self._drive(active)
        self._tasks.spawn(self._rounds(), "rounds")
        log.info("argo_opened", unfinished=len(rows))

    async def close(self) -> None:
        await self._tasks.close()
        for active in tuple(self._active.values()):
            await active.tasks.close()
        await self._cleanup.close(self._active.values())

    async def _rounds(self) -> None:
        """What has to be done from time to time. Each part goes on whatever becomes of the others."""
        parts: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "read_manifests_failed": self._read_manifests,
            "forget_expired_failed": self._forget_expired,
            "give_up_failed": self._save_unsaved,
            "clean_up_failed": self._cleanup.retry,
        }
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            for event, part in parts.items():
                try:
                    await part()
                except Exception as exc:  # noqa: BLE001  (told; there is a next round)
                    self._troubles.met(event, exc)
                else:
                    self._troubles.over(event)

    async def _read_manifests(self) -> None:
        if self.library.refresh():
            for name in self._locks.waiting():
                self._wake(name)

    async def _forget_expired(self) -> None:
        for name in self.store.expired(self._clock()):
            with contextlib.suppress(errors.ApiError):  # a caller was quicker
                await self.delete(name)

    async def _save_unsaved(self) -> None:
        for name, row in tuple(self._unsaved.items()):
            self._save(row, labels_changed=True)
            self._unsaved.pop(name, None)

    # -- calls

    async def create(self, submission: Submission, *, dry_run: bool = False) -> Row:
        """Store a new workflow and let it run. Raises ApiError."""
        self.library.refresh()
        template = None if submission.inline else self.library.get(submission.template)
        if template is not None:
            merged_arguments(template.spec, submission.arguments)
            entered(template.spec, submission)
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
        except sqlite3.Error as exc:
            self._troubles.met("create_failed", exc, workflow=row.name)
            raise errors.not_stored(exc) from exc
        self._troubles.over("create_failed")
        self._announce("ADDED", row)
        if (active := self._take_up(row)) is not None:
            self._drive(active)
        return row

    def shut_down(self, name: str, strategy: Literal["Stop", "Terminate"]) -> Row:
        """Ask an unfinished workflow to end. Raises ApiError: 404; 500 when it has finished."""
        active = self._active.get(name)
        if active is None and self.store.uid(name) is None:
            raise errors.workflow_not_found(name)
        if active is None or active.run.finished:
            raise errors.finished(name, self.settings.namespace)
        asked = strategy if active.run.shutdown != "Terminate" else active.run.shutdown
        row = self._asked(active, {**active.row.spec, "shutdown": asked}, strategy)
        active.run.shutdown = asked
        return row

    def resume(self, name: str) -> Row:
        """End the wait at templates of type suspend; nothing happens to a workflow that is at none. Raises ApiError."""
        active = self._active.get(name)
        if active is None or not (nodes := active.run.resume(self._clock())):
            return self.current(name)
        try:
            return self._asked(active, active.row.spec, "Resume")
        except errors.ApiError:
            for node in nodes:
                node.phase, node.finished_at = "Running", None
            raise

    def _asked(self, active: Active, spec: dict[str, Any], action: str) -> Row:
        """Store what a caller has asked of a workflow, which wakes up to it. Raises ApiError."""
        labels = {**active.row.labels, OWN + "action": action, OWN + "actor": CREATOR}
        row = replace(active.row, spec=spec, labels=labels, status=active.run.status())
        try:
            self._store_row(active, row, labels_changed=True)
        except sqlite3.Error as exc:
            raise errors.not_stored(exc) from exc
        self._wake(active.run.name)
        return row

    async def delete(self, name: str) -> None:
        """Forget a workflow, with its pods, volumes and logs. Raises ApiError 404."""
        row = self.store.get(name)
        if row is None:
            raise errors.workflow_not_found(name)
        deletion = self._deleting[name] = asyncio.Event()
        try:
            try:
                self.store.delete(name)
            except sqlite3.Error as exc:
                raise errors.not_stored(exc) from exc
            active = self._active.pop(name, None)
            self._unsaved.pop(name, None)
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

    def _restore(self, row: Row) -> Active | None:
        """Take up a workflow that was stored earlier, perhaps by another version; None for one that ends here."""
        try:
            require_readable(row)
            return self._take_up(row)
        except STORAGE:
            raise
        except Exception as exc:  # noqa: BLE001  (whatever is wrong with one must not keep the others from going on)
            self._active.pop(row.name, None)
            self._give_up(row, f"this version of the server cannot read the stored workflow: {exc}")
            return None

    def _give_up(self, row: Row, reason: str) -> None:
        log.error("workflow_given_up", workflow=row.name, reason=reason)
        try:
            content = self.store.content(row)[1]
        except Unreadable:
            content = None
        self._end(given_up(row, reason, self._clock(), content))

    def _end(self, row: Row) -> None:
        """Store the end of a workflow that nobody drives; later, where that is not possible now."""
        try:
            self._save(row, labels_changed=True)
        except STORAGE as exc:
            self._troubles.met("give_up_failed", exc, workflow=row.name)
            self._unsaved[row.name] = row

    def _take_up(self, row: Row) -> Active | None:
        """The state of a stored workflow; None for one that may not run, which ends here."""
        arguments, content = self.store.content(row)
        sent = {key: value for key, value in row.spec.items() if key != "shutdown"}
        document = {"metadata": {"name": row.name}, "spec": {**sent, "arguments": arguments}}
        submission = read_submission(document, self.settings.namespace)
        if submission.violation:
            self._refuse(row, submission)
            return None
        spec = entered(read_spec(content["name"], content["spec"]), submission)
        run = Run(
            name=row.name,
            uid=row.uid,
            namespace=self.settings.namespace,
            created_at=row.created,
            spec=spec,
            arguments=merged_arguments(spec, submission.arguments),
            shutdown=Part(row.spec, "spec").text("shutdown", "", among=_SHUTDOWNS),
        )
        run.read_status(row.status)
        run.status()  # what can be read can be written
        active = self._active[row.name] = Active(run, row)
        return active

    def _refuse(self, row: Row, submission: Submission) -> None:
        now = self._clock()
        ended = None if submission.inline else stamp(now)
        row.status = {"phase": "Error", "startedAt": ended, "finishedAt": ended, "progress": "0/0"}
        row.status |= {"message": submission.violation, "conditions": [{"type": "Completed", "status": "True"}]}
        row.labels |= {OWN + "completed": "true", OWN + "phase": "Error"}
        row.finished = now
        self._end(row)

    def _wake(self, name: str) -> None:
        if (active := self._active.get(name)) is not None:
            active.wake.set()

    def _drive(self, active: Active) -> None:
        active.wake.set()
        active.spawn(self._live(active))

    async def _live(self, active: Active) -> None:
        name = active.run.name
        while active.row.finished is None:
            await active.wake.wait()
            active.wake.clear()
            try:
                self._advance(active)
            except STORAGE as exc:  # nothing was done that is not stored: the same again, until it works
                self._troubles.met("save_failed", exc, workflow=name)
                active.wake_in(AGAIN_SECONDS)
            except Exception as exc:  # noqa: BLE001  (a fault of ours may end this workflow, not the others)
                report("workflow_failed", exc, workflow=name)
                active.fault = f"internal error: {type(exc).__name__}"
                active.wake.set()
            else:
                self._troubles.over("save_failed")
        for other in self._locks.release(name):
            self._wake(other)
        while True:
            try:
                await self._cleanup.finish(active)
            except Exception as exc:  # noqa: BLE001  (told, and tried again: pods and volumes must not stay)
                self._troubles.met("finish_failed", exc, workflow=name)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                break
        self._active.pop(name, None)

    def _advance(self, active: Active) -> None:
        run = active.run
        if active.fault:
            run.phase, run.message, run.finished_at = "Error", active.fault, self._clock()
            self._store_row(active, given_up(active.row, active.fault, run.finished_at), labels_changed=True)
            return
        held = run.lock is not None and run.lock.held
        step = Advance(run, active.observations, self._locks, self._clock())
        step.perform()
        active.to_start += [node for node in step.start if node not in active.to_start]
        active.to_stop += step.stop
        active.gave_back |= bool(held and run.lock is not None and not run.lock.held)
        self._store(active)
        if active.gave_back:
            for other in self._locks.release(run.name):
                self._wake(other)
        for node in active.to_start:
            self.pods.start(active, node)
        for node in active.to_stop:
            self.pods.stop(active, node)
        active.to_start, active.to_stop, active.gave_back = [], [], False
        active.wake_in(None if step.wake_at is None else max(0.0, step.wake_at - self._clock()))

    def _store(self, active: Active) -> None:
        """Write the workflow if it has changed. Nobody sees a state that is not stored."""
        run, row = active.run, active.row
        status = run.status()
        if status == row.status and not run.finished:
            return
        labels = {
            OWN + "phase": run.phase,
            OWN + "completed": "true" if run.finished else "false",
            OWN + "workflow-template": row.spec["workflowTemplateRef"]["name"],
            **run.spec.workflow_metadata.labels,
        }
        changed = any(row.labels.get(key) != value for key, value in labels.items())
        annotations = {OWN + "pod-name-format": "v2", **run.spec.workflow_metadata.annotations}
        new = replace(row, labels=row.labels | labels, annotations=row.annotations | annotations, status=status)
        if run.finished:
            new.finished, new.expires = run.finished_at, _expiry(run)
        self._store_row(active, new, labels_changed=changed)

    def _store_row(self, active: Active, row: Row, *, labels_changed: bool) -> None:
        self._save(row, labels_changed=labels_changed)
        active.row = row

    def _save(self, row: Row, *, labels_changed: bool) -> None:
        """Durable and told to those who watch when it returns. Raises sqlite3.Error."""
        self.store.save(row, labels_changed=labels_changed)
        self._announce("MODIFIED", row)

    def _announce(self, change: Change, row: Row) -> None:
        """A listener that fails is listened to no more by us; it ends its stream itself."""
        for listener in tuple(self.listeners):
            try:
                listener(change, row)
            except Exception as exc:  # noqa: BLE001  (told; whoever watches must not keep a workflow from going on)
                self._troubles.met("announcement_failed", exc)
                self.listeners.discard(listener)


def _expiry(run: Run) -> float | None:
    ttl = run.spec.ttl_strategy
    special = ttl.seconds_after_success if run.phase == "Succeeded" else ttl.seconds_after_failure
    seconds = ttl.seconds_after_completion if special is None else special
    return None if seconds is None or run.finished_at is None else run.finished_at + seconds
