"""Between the controller and the runtime: starts pods, follows them, tells what they did."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from argo.local.engine.node import Node
from argo.local.engine.pods import INITIALIZING
from argo.local.engine.state import Run
from argo.local.engine.step import Observation
from argo.local.pods.runtime import ImageUnavailable, PodRuntime, PodStatus
from argo.local.troubles import AGAIN_SECONDS, Troubles, may_pass, report
from argo.local.workflows import host_files
from argo.local.workflows.active import Active
from argo.local.workflows.cleanup import Cleanup, write_owner
from argo.local.workflows.pod_spec import Places, PodImpossible, PodPending, PodPlan

T = TypeVar("T")

_FIRST_LOOK_SECONDS: Final = 0.2  # a change between two questions to the runtime is noticed by then
_TRY_AGAIN_SECONDS: Final = (1.0, 2.0, 4.0)  # for what is missing: a secret, an image; then always the last


class PodWatch:
    """`wake(workflow)` is called whenever an observation is new."""

    def __init__(self, places: Places, runtime: PodRuntime, cleanup: Cleanup, wake: Callable[[str], None]) -> None:
        self._places, self._runtime, self._cleanup, self._wake = places, runtime, cleanup, wake
        self._troubles = Troubles()

    # -- pods of an unfinished workflow

    def start(self, active: Active, node: Node) -> None:
        """Start and follow a node's pod, once."""
        if node.id not in active.watched:
            active.watched.add(node.id)
            active.spawn(self._guarded(active, node, self._follow(active, node)))

    def adopt(self, active: Active) -> None:
        """After a restart: go on following pods that have been told to end, but may not have ended."""
        for node in active.run.nodes.values():
            if node.type == "Pod" and node.final and node.placed and node.exit_code is None:
                folder = self._places.pods / active.run.pod(node)
                if self._runtime.status(folder).state in ("starting", "running"):
                    active.watched.add(node.id)
                    self.stop(active, node)
                    active.spawn(self._guarded(active, node, self._until_end(active, node, PodStatus("running"))))

    def stop(self, active: Active, node: Node) -> None:
        """SIGTERM, then SIGKILL after its grace period."""
        if node.id in active.watched:
            active.spawn(self._stop(active, node))

    async def _stop(self, active: Active, node: Node) -> None:
        folder = self._places.pods / active.run.pod(node)
        while True:
            try:
                await active.in_thread(self._runtime.stop, folder)
            except OSError as exc:  # no space for the wish, say: the pod must end all the same
                self._troubles.met("pod_not_stopped", exc, pod=folder.name)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self._troubles.over("pod_not_stopped")
                return

    async def _guarded(self, active: Active, node: Node, work: Coroutine[Any, Any, None]) -> None:
        """A fault of ours must not leave a workflow waiting for ever."""
        try:
            await work
        except Exception as exc:  # noqa: BLE001  (told)
            report("pod_watch_failed", exc, pod=active.run.pod(node))
            self._tell(active, node, Observation(impossible=f"internal error: {type(exc).__name__}"))

    async def _follow(self, active: Active, node: Node) -> None:
        tries = 0
        while True:
            seen = await active.in_thread(self._start, active.run, node, tries)
            self._tell(active, node, seen)
            if seen.impossible:
                return
            if not seen.pending:
                break
            await asyncio.sleep(_TRY_AGAIN_SECONDS[min(tries, len(_TRY_AGAIN_SECONDS) - 1)])
            tries += 1
            if node.final:
                return
        await self._until_end(active, node, PodStatus("starting"))

    def _start(self, run: Run, node: Node, tries: int) -> Observation:
        folder = self._places.pods / run.pod(node)
        begun = node.phase == "Running" or (node.placed and node.message == INITIALIZING)
        if self._runtime.status(folder).state != "absent" or (begun and not folder.exists()):
            return Observation()  # it was started before; what became of it, its folder says
        try:
            if problem := self._no_room():
                return Observation(pending=problem, no_room=True)
            plan = self._places.plan(run, node)
            for container in (plan.spec.main, *plan.spec.init):
                self._runtime.require_image(container.image)
            write_owner(plan.files_folder, run)
            host_files.prepare(plan, self._runtime, self._places.volumes)
            self._runtime.start(plan.folder, plan.spec)
        except ImageUnavailable as exc:
            text = f'ErrImagePull: failed to pull image "{exc.image}": {exc.reason}'
            if not self._places.settings.wait_for_images:
                return Observation(impossible=text)
            return Observation(
                pending=text if not tries else f'ImagePullBackOff: Back-off pulling image "{exc.image}": {text}'
            )
        except PodPending as exc:
            return Observation(pending=str(exc))
        except PodImpossible as exc:
            return Observation(impossible=str(exc))
        except OSError as exc:
            if may_pass(exc):
                self._troubles.met("pod_start_waits", exc, pod=run.pod(node))
                text = f"Unschedulable: the machine has no room for it at the moment: {exc.strerror}"
                return Observation(pending=text, no_room=True)
            report("pod_not_started", exc, pod=run.pod(node))
            return Observation(impossible=f"the pod could not be started: {exc.strerror or type(exc).__name__}")
        return Observation()

    def _no_room(self) -> str:
        """Why no pod may start for want of disk; "" where there is enough."""
        reserve, there = self._places.settings.reserve_bytes, os.statvfs(self._places.settings.data)
        free = there.f_bavail * there.f_frsize
        if free < reserve:
            return f"Unschedulable: {free >> 20} MiB of the disk are free, and {reserve >> 20} MiB are kept in reserve"
        if reserve and there.f_files and not there.f_favail:
            return "Unschedulable: the disk has no room for another file"
        return ""

    async def _until_end(self, active: Active, node: Node, known: PodStatus) -> None:
        folder = self._places.pods / active.run.pod(node)
        status = await self._status(folder)
        while status.state in ("starting", "running"):
            if status.state != known.state:
                self._tell(active, node, Observation(status))
                known = status
            try:
                status = await self._change(folder, status)
            except OSError as exc:
                if not may_pass(exc):
                    raise
                self._troubles.met("pod_not_seen", exc, pod=folder.name)
                await asyncio.sleep(AGAIN_SECONDS)
                status = await self._status(folder)
        if status.state == "absent" and folder.exists() and not node.final and node.phase == "Pending":
            await asyncio.sleep(_TRY_AGAIN_SECONDS[0])
            active.watched.discard(node.id)  # its watcher died before anything ran: start it again
            self.start(active, node)
            return
        if status.state == "absent":
            self._tell(active, node, Observation(status))
            return
        seen = await active.in_thread(self._collect, active.run, node, status)
        self._tell(active, node, seen)
        self._cleanup.pod_ended(active.run, node, status)

    async def _status(self, folder: Path) -> PodStatus:
        """What became of the pod. While the machine has no room to say so, it is asked again."""
        while True:
            try:
                status = self._runtime.status(folder)
            except OSError as exc:
                if not may_pass(exc):
                    raise
                self._troubles.met("pod_not_seen", exc, pod=folder.name)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self._troubles.over("pod_not_seen")
                return status

    async def _change(self, folder: Path, known: PodStatus) -> PodStatus:
        """The next status that differs. A change that came between two questions is found by a second look."""
        waiting = asyncio.ensure_future(self._runtime.wait(folder))
        try:
            done, _ = await asyncio.wait({waiting}, timeout=_FIRST_LOOK_SECONDS)
            if not done:
                status = self._runtime.status(folder)
                if status.state != known.state:
                    return status
            return await waiting
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _collect(self, run: Run, node: Node, status: PodStatus) -> Observation:
        """Read the outputs of an ended pod."""
        outputs: dict[str, str] = {}
        missing = ""
        try:
            plan: PodPlan | None = self._places.plan(run, node)
        except (PodPending, PodImpossible):  # the world has changed since its start
            plan = None
        for output in plan.outputs if plan else ():
            value = host_files.read_output(output)
            if value is None:
                missing = missing or output.path
            else:
                outputs[output.name] = value
        host_files.forget_inputs(self._places.files / run.pod(node))
        return Observation(status, outputs, missing)

    def _tell(self, active: Active, node: Node, seen: Observation) -> None:
        active.observations[node.id] = seen
        self._wake(active.run.name)

    # -- logs

    def log_path(self, pod: str) -> Path:
        return self._runtime.log_path(self._places.pods / pod)

    def running(self, pod: str) -> bool:
        return self._runtime.status(self._places.pods / pod).state in ("starting", "running")

    def ended(self, pod: str) -> bool:
        return self._runtime.status(self._places.pods / pod).state == "ended"
