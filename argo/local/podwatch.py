"""Between the controller and the runtime: starts pods, follows them, tells what they did, and cleans up after them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from argo.local import hostfiles
from argo.local.engine.pods import INITIALIZING, Observation
from argo.local.engine.state import Node, Run
from argo.local.names import pod_name
from argo.local.podplan import Places, PodImpossible, PodPending, PodPlan
from argo.local.runtime import ImageUnavailable, PodRuntime, PodStatus
from argo.local.spec import quantities
from argo.local.store import Row, Store

log = structlog.get_logger(__name__)
T = TypeVar("T")

_FIRST_LOOK_SECONDS: Final = 0.2  # a change between two questions to the runtime is noticed by then
_TRY_AGAIN_SECONDS: Final = (1.0, 2.0, 4.0)  # for what is missing: a secret, an image; then always the last
_OWNER: Final = "owner.json"


@dataclass(slots=True)
class Active:
    """An unfinished workflow in memory."""

    run: Run
    row: Row
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    observations: dict[str, Observation] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)  # ids of nodes whose pods are started or being started
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    threads: set[asyncio.Future[Any]] = field(default_factory=set)  # work that a cancelled task leaves behind
    _timer: asyncio.TimerHandle | None = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        future = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
        self.threads.add(future)
        future.add_done_callback(self.threads.discard)
        return await asyncio.shield(future)

    def wake_in(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.wake.set)

    def close(self) -> None:
        """Look at it no more."""
        self.wake_in(None)
        for task in tuple(self.tasks):
            task.cancel()


class PodWatch:
    """`wake(workflow)` is called whenever an observation is new."""

    def __init__(self, places: Places, runtime: PodRuntime, wake: Callable[[str], None]) -> None:
        self._places, self._runtime, self._wake = places, runtime, wake
        self._tasks: set[asyncio.Task[None]] = set()

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
        await active.in_thread(self._runtime.stop, self._places.pods / active.run.pod(node))

    async def _guarded(self, active: Active, node: Node, work: Coroutine[Any, Any, None]) -> None:
        """A fault of ours must not leave a workflow waiting for ever."""
        try:
            await work
        except Exception as exc:
            log.exception("pod_watch_failed", pod=active.run.pod(node))
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
            plan = self._places.plan(run, node)
            for container in (plan.spec.main, *plan.spec.init):
                self._runtime.require_image(container.image)
            plan.files_folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            owner = json.dumps({"workflow": run.name, "uid": run.uid})
            (plan.files_folder / _OWNER).write_text(owner)
            hostfiles.prepare(plan, self._runtime, self._places.volumes)
            self._runtime.start(plan.folder, plan.spec)
        except ImageUnavailable as exc:
            text = f'ErrImagePull: failed to pull image "{exc.image}": {exc.reason}'
            return Observation(
                pending=text if not tries else f'ImagePullBackOff: Back-off pulling image "{exc.image}": {text}'
            )
        except PodPending as exc:
            return Observation(pending=str(exc))
        except PodImpossible as exc:
            return Observation(impossible=str(exc))
        except OSError as exc:
            log.exception("pod_not_started", pod=run.pod(node))
            return Observation(impossible=f"the pod could not be started: {exc.strerror or type(exc).__name__}")
        return Observation()

    async def _until_end(self, active: Active, node: Node, known: PodStatus) -> None:
        folder = self._places.pods / active.run.pod(node)
        status = self._runtime.status(folder)
        while status.state in ("starting", "running"):
            if status.state != known.state:
                self._tell(active, node, Observation(status))
                known = status
            status = await self._change(folder, status)
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
        self._collect_garbage(active.run, node)

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

    def _collect(self, run: Run, node: Node, status: PodStatus) -> Observation:
        """Read the outputs of an ended pod."""
        outputs: dict[str, str] = {}
        missing = ""
        try:
            plan: PodPlan | None = self._places.plan(run, node)
        except (PodPending, PodImpossible):  # the world has changed since its start
            plan = None
        for output in plan.outputs if plan else ():
            value = hostfiles.read_output(output)
            if value is None:
                missing = missing or output.path
            else:
                outputs[output.name] = value
        hostfiles.forget_inputs(self._places.files / run.pod(node))
        return Observation(status, outputs, missing)

    def _tell(self, active: Active, node: Node, seen: Observation) -> None:
        active.observations[node.id] = seen
        self._wake(active.run.name)

    # -- cleaning up

    def _collect_garbage(self, run: Run, node: Node) -> None:
        gc = run.spec.pod_gc
        end = node.phase == "Succeeded" or not node.final
        if gc and (gc.strategy == "OnPodCompletion" or (gc.strategy == "OnPodSuccess" and end)):
            self._later(quantities.seconds(gc.delete_delay_duration), [run.pod(node)], run.uid)

    def _later(self, seconds: float, pods: list[str], uid: str) -> None:
        async def work() -> None:
            await asyncio.sleep(seconds)
            await self._remove_pods(pods, uid)

        task = asyncio.get_running_loop().create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, active: Active) -> None:
        """A workflow has ended: end its last pods, remove its volumes, and its pods where the template says so."""
        run = active.run
        pods = [run.pod(node) for node in run.nodes.values() if node.type == "Pod"]
        for pod in pods:
            folder = self._places.pods / pod
            if self._runtime.status(folder).state in ("starting", "running"):
                await active.in_thread(self._runtime.kill, folder)
                while self._runtime.status(folder).state in ("starting", "running"):
                    await self._runtime.wait(folder)
            hostfiles.forget_inputs(self._places.files / pod)
        for claim in run.spec.volume_claim_templates:
            if claim.metadata["name"] not in run.claims:
                volume = self._places.volumes / f"{run.name}-{claim.metadata['name']}"
                await active.in_thread(hostfiles.remove, volume)
        gc = run.spec.pod_gc
        if gc and (
            gc.strategy == "OnWorkflowCompletion" or run.phase == "Succeeded" or gc.strategy == "OnPodCompletion"
        ):
            self._later(quantities.seconds(gc.delete_delay_duration), pods)

    async def remove_all(self, row: Row, active: Active | None) -> None:
        """A workflow was deleted: nothing of it stays."""
        if active is not None:
            await asyncio.gather(*active.threads, return_exceptions=True)
        await self._remove_pods([pod for pod, _ in self.pods_of(row)], row.uid)
        claims = active.run.spec.volume_claim_templates if active else ()
        names = {f"{row.name}-{claim.metadata['name']}" for claim in claims}
        names |= {item["persistentVolumeClaim"]["claimName"] for item in row.status.get("persistentVolumeClaims", [])}
        for name in names:
            await asyncio.to_thread(hostfiles.remove, self._places.volumes / name)

    async def _remove_pods(self, pods: Iterable[str], uid: str = "") -> None:
        """`uid`: of the workflow they belonged to; a later one of the same name keeps its own."""
        for pod in pods:
            if uid and self._owner(pod).get("uid", uid) != uid:
                continue
            await asyncio.to_thread(self._runtime.remove, self._places.pods / pod)
            await asyncio.to_thread(hostfiles.remove, self._places.files / pod)

    async def sweep(self, store: Store, active: list[Active]) -> None:
        """At start: remove pods and volumes that belong to no workflow, or to one that has ended and gave them up."""
        for folder in (self._places.pods, self._places.files, self._places.volumes):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        living = {each.run.name: each.run.uid for each in active}
        names = {path.name for folder in (self._places.pods, self._places.files) for path in folder.iterdir()}
        lost = [name for name in sorted(names) if not self._belongs(name, living, store)]
        await self._remove_pods(lost)
        kept = {claim for each in active for claim in _claims(each.run)}
        for volume in sorted(self._places.volumes.iterdir()):
            if volume.name not in kept and not store.keeps_claim(volume.name):
                await asyncio.to_thread(hostfiles.remove, volume)

    def _belongs(self, pod: str, living: dict[str, str], store: Store) -> bool:
        owner = self._owner(pod)
        workflow, uid = owner.get("workflow", ""), owner.get("uid", "")
        if workflow in living:
            return bool(living[workflow] == uid)
        row = store.get(workflow)
        return row is not None and row.uid == uid and not store.collects_pods(row)

    def _owner(self, pod: str) -> dict[str, str]:
        """{"workflow", "uid"}; empty where nothing is known."""
        try:
            found: dict[str, str] = json.loads((self._places.files / pod / _OWNER).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found

    async def close(self, active: Iterable[Active]) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *(f for each in active for f in each.threads), return_exceptions=True)

    # -- logs

    def pods_of(self, row: Row) -> list[tuple[str, str]]:
        nodes = [Node.read(made) for made in row.status.get("nodes", {}).values() if made["type"] == "Pod"]
        nodes.sort(key=lambda node: node.started_at)
        return [(pod_name(row.name, node.template, node.name), node.id) for node in nodes]

    def log_path(self, pod: str) -> Path:
        return self._runtime.log_path(self._places.pods / pod)

    def running(self, pod: str) -> bool:
        return self._runtime.status(self._places.pods / pod).state in ("starting", "running")

    def ended(self, pod: str) -> bool:
        return self._runtime.status(self._places.pods / pod).state == "ended"


def _claims(run: Run) -> Iterable[str]:
    return (f"{run.name}-{claim.metadata['name']}" for claim in run.spec.volume_claim_templates)
