"""What is removed, and when: pods after their end, volumes with their workflow, all when a workflow is deleted.

Whatever is removed is removed by one task at a time; whoever asks meanwhile waits for that one. What could not be
removed is kept in mind and tried again.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from argo.local.engine.node import Node
from argo.local.engine.state import Run
from argo.local.engine.stored import Unreadable, file_name
from argo.local.pods.runtime import PodRuntime, PodStatus
from argo.local.spec import quantities
from argo.local.troubles import Troubles
from argo.local.workflows import host_files
from argo.local.workflows.active import Active
from argo.local.workflows.pod_spec import Places
from argo.local.workflows.rows import Row
from argo.local.workflows.store import Store
from argo.local.workflows.tasks import Tasks
from argo.naming import pod_name

_OWNER: Final = "owner.json"
_AT_THE_END: Final = ("OnWorkflowCompletion", "OnPodCompletion")


def write_owner(files_folder: Path, run: Run) -> None:
    """Say whose pod this is, before anything else of it is made."""
    files_folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    (files_folder / _OWNER).write_text(json.dumps({"workflow": run.name, "uid": run.uid}))


def pods_of(row: Row) -> list[str]:
    """Names of a workflow's pods, oldest first; of those nodes that can be read."""
    stored = row.status.get("nodes")
    nodes = []
    for made in stored.values() if isinstance(stored, dict) else ():
        try:
            node = Node.read(made)
            if node.type == "Pod":
                nodes.append((node.started_at, file_name(pod_name(row.name, node.template, node.name), "pod")))
        except Unreadable:
            continue
    nodes.sort(key=lambda pod: pod[0])
    return [name for _, name in nodes]


class Cleanup:
    def __init__(self, places: Places, runtime: PodRuntime) -> None:
        self._places, self._runtime = places, runtime
        self._tasks, self._troubles = Tasks(), Troubles()
        self._removals: dict[Path, asyncio.Task[None]] = {}
        self._delayed: defaultdict[str, list[asyncio.Task[None]]] = defaultdict(list)  # by uid of the workflow
        self._left: dict[Path, Callable[[], Any]] = {}  # what could not be removed

    def pod_ended(self, run: Run, node: Node, status: PodStatus) -> None:
        """Remove the pod after a while, if the template says so."""
        gc = run.spec.pod_gc
        good = status.end is not None and status.end.why == "exited" and status.end.code == 0
        if gc and (gc.strategy == "OnPodCompletion" or (gc.strategy == "OnPodSuccess" and good)):
            self._later(quantities.seconds(gc.delete_delay_duration), [run.pod(node)], run.uid)

    def _later(self, seconds: float, pods: list[str], uid: str) -> None:
        async def work() -> None:
            await asyncio.sleep(seconds)
            await self._remove_pods(pods, uid)

        waiting = self._delayed[uid]
        task = self._tasks.spawn(work(), "remove pods later")
        waiting.append(task)

        def ended(task: asyncio.Task[None]) -> None:
            waiting.remove(task)
            if not waiting:
                self._delayed.pop(uid, None)

        task.add_done_callback(ended)

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
            host_files.forget_inputs(self._places.files / pod)
        for claim in run.spec.volume_claim_templates:
            volume = self._places.volumes / f"{run.name}-{claim.metadata['name']}"
            for shared in self._places.settings.claims.values():
                await active.in_thread(self._runtime.take_over, shared, volume)
            if claim.metadata["name"] not in run.claims:
                await self._remove_volume(f"{run.name}-{claim.metadata['name']}")
        gc = run.spec.pod_gc
        good = run.phase == "Succeeded"
        if gc and (gc.strategy in _AT_THE_END or (gc.strategy == "OnWorkflowSuccess" and good)):
            self._later(quantities.seconds(gc.delete_delay_duration), pods, run.uid)

    async def remove_all(self, row: Row, active: Active | None) -> None:
        """A workflow was deleted: nothing of it stays."""
        for task in tuple(self._delayed.get(row.uid, ())):
            task.cancel()
        if active is not None:
            await asyncio.gather(*active.threads, return_exceptions=True)
        pods = {name for name in self._names() if self._owner(name).get("uid") == row.uid}
        await self._remove_pods([*pods_of(row), *sorted(pods)], row.uid)
        claims = active.run.spec.volume_claim_templates if active else ()
        for name in {f"{row.name}-{claim.metadata['name']}" for claim in claims} | _stored_claims(row):
            await self._remove_volume(name)

    async def _remove_pods(self, pods: Iterable[str], uid: str = "") -> None:
        """`uid`: of the workflow they belonged to; a later one of the same name keeps its own."""
        for pod in pods:
            folder, files = self._places.pods / pod, self._places.files / pod

            def remove(pod: str = pod, folder: Path = folder, files: Path = files) -> None:
                if not uid or self._owner(pod).get("uid", uid) == uid:
                    self._runtime.remove(folder)
                    host_files.remove(files)

            await self._remove(folder, remove)

    async def _remove_volume(self, name: str) -> None:
        volume = self._places.volumes / name
        await self._remove(volume, lambda: host_files.remove(volume))

    async def _remove(self, place: Path, work: Callable[[], Any]) -> None:
        """Once at a time for each place. A failure is told, and the work tried again by `retry`."""
        task = self._removals.get(place)
        if task is None:
            task = self._removals[place] = self._tasks.spawn(self._removal(place, work), f"remove {place.name}")
            task.add_done_callback(lambda _: self._removals.pop(place, None))
        await asyncio.shield(task)

    async def _removal(self, place: Path, work: Callable[[], Any]) -> None:
        self._left.pop(place, None)
        try:
            await asyncio.to_thread(work)
        except Exception as exc:  # noqa: BLE001  (told; others must be removed, and the server must go on)
            self._left[place] = work
            self._troubles.met("not_removed", exc, place=place.name)

    async def retry(self) -> None:
        """Try again what could not be removed before."""
        for place, work in tuple(self._left.items()):
            await self._remove(place, work)
        if not self._left:
            self._troubles.over("not_removed")

    async def sweep(self, store: Store, active: list[Active]) -> None:
        """At start: remove pods and volumes that belong to no workflow, or to one that has ended and gave them up.

        Pods that run for a workflow which has ended (because it could not be read, say) are ended; their logs stay.
        """
        for folder in (self._places.pods, self._places.files, self._places.volumes):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        living = {each.run.name: each.run.uid for each in active}
        for name in sorted(self._names()):
            try:
                belongs = self._belongs(name, living, store)
                if belongs == "ended" and self._runtime.status(self._places.pods / name).state != "ended":
                    await asyncio.to_thread(self._runtime.kill, self._places.pods / name)
            except Exception as exc:  # noqa: BLE001  (told; a spoiled folder must not keep the server from starting)
                self._troubles.met("pod_not_understood", exc, pod=name)
                continue
            if not belongs:
                await self._remove_pods([name])
        kept = {claim for each in active for claim in _claims(each.run)}
        for volume in sorted(self._places.volumes.iterdir()):
            if volume.name not in kept and not store.keeps_claim(volume.name):
                await self._remove_volume(volume.name)

    def _names(self) -> set[str]:
        return {path.name for folder in (self._places.pods, self._places.files) for path in folder.iterdir()}

    def _belongs(self, pod: str, living: dict[str, str], store: Store) -> str:
        """living, ended, or "" where it belongs to nobody."""
        owner = self._owner(pod)
        workflow, uid = owner.get("workflow", ""), owner.get("uid", "")
        if workflow in living:
            return "living" if living[workflow] == uid else ""
        row = store.get(workflow)
        return "ended" if row is not None and row.uid == uid and not store.collects_pods(row) else ""

    def _owner(self, pod: str) -> dict[str, str]:
        """{"workflow", "uid"}; empty where nothing is known."""
        try:
            found = json.loads((self._places.files / pod / _OWNER).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        known = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
        return found if known else {}

    async def close(self, active: Iterable[Active]) -> None:
        await self._tasks.close()
        await asyncio.gather(*(f for each in active for f in each.threads), return_exceptions=True)


def _claims(run: Run) -> Iterable[str]:
    return (f"{run.name}-{claim.metadata['name']}" for claim in run.spec.volume_claim_templates)


def _stored_claims(row: Row) -> set[str]:
    found = row.status.get("persistentVolumeClaims")
    names = set()
    for item in found if isinstance(found, list) else ():
        try:
            names.add(file_name(item["persistentVolumeClaim"]["claimName"], "claimName"))
        except (KeyError, TypeError, Unreadable):
            continue
    return names
