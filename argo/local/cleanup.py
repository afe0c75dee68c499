"""What is removed, and when: pods after their end, volumes with their workflow, all when a workflow is deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from argo.local import hostfiles
from argo.local.active import Active
from argo.local.engine.node import Node
from argo.local.engine.state import Run
from argo.local.podplan import Places
from argo.local.rows import Row
from argo.local.runtime import PodRuntime, PodStatus
from argo.local.spec import quantities
from argo.local.store import Store
from argo.naming import pod_name

_OWNER: Final = "owner.json"
_AT_THE_END: Final = ("OnWorkflowCompletion", "OnPodCompletion")


def write_owner(files_folder: Path, run: Run) -> None:
    """Say whose pod this is, before anything else of it is made."""
    files_folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    (files_folder / _OWNER).write_text(json.dumps({"workflow": run.name, "uid": run.uid}))


def pods_of(row: Row) -> list[str]:
    """Names of a workflow's pods, oldest first."""
    nodes = [Node.read(made) for made in row.status.get("nodes", {}).values() if made["type"] == "Pod"]
    nodes.sort(key=lambda node: node.started_at)
    return [pod_name(row.name, node.template, node.name) for node in nodes]


class Cleanup:
    def __init__(self, places: Places, runtime: PodRuntime) -> None:
        self._places, self._runtime = places, runtime
        self._tasks: set[asyncio.Task[None]] = set()

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
        good = run.phase == "Succeeded"
        if gc and (gc.strategy in _AT_THE_END or (gc.strategy == "OnWorkflowSuccess" and good)):
            self._later(quantities.seconds(gc.delete_delay_duration), pods, run.uid)

    async def remove_all(self, row: Row, active: Active | None) -> None:
        """A workflow was deleted: nothing of it stays."""
        if active is not None:
            await asyncio.gather(*active.threads, return_exceptions=True)
        await self._remove_pods(pods_of(row), row.uid)
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


def _claims(run: Run) -> Iterable[str]:
    return (f"{run.name}-{claim.metadata['name']}" for claim in run.spec.volume_claim_templates)
