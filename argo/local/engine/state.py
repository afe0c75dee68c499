"""One workflow as the engine sees it, and its status as Argo v4.1.2 writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from argo.local.engine.node import FINAL, PHASES, Node
from argo.local.engine.stored import Part, Unreadable, file_name
from argo.local.engine.times import stamp
from argo.local.spec.model import Spec
from argo.naming import node_id, pod_name

OWN: Final = "workflows.argoproj.io/"
_KEY_SLASHES: Final = 3  # namespace/ConfigMap/name/key


@dataclass(slots=True)
class Lock:
    """The semaphore of a DAG. `blockers`: who held it while this workflow last waited."""

    key: str  # namespace/ConfigMap/name/key
    node: str  # id of the node that waits for it or holds it; "" when it was given back
    held: bool | None = None  # None: not yet, False: given back
    blockers: list[str] | None = None


@dataclass(slots=True)
class Run:
    """One workflow. `spec` is the frozen copy of its template, `arguments` are merged and complete."""

    name: str
    uid: str
    namespace: str
    created_at: float
    spec: Spec
    arguments: Mapping[str, str]
    shutdown: str = ""  # Stop, Terminate
    phase: str = ""
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    nodes: dict[str, Node] = field(default_factory=dict)
    lock: Lock | None = None
    claims: dict[str, str] = field(default_factory=dict)  # volume name -> claim name, while the claims exist

    @property
    def finished(self) -> bool:
        return self.phase in FINAL

    @property
    def root(self) -> Node | None:
        return self.nodes.get(self.name)

    @property
    def exit_name(self) -> str:
        return f"{self.name}.onExit"

    def suspended(self) -> list[Node]:
        """Nodes that wait until somebody resumes the workflow."""
        return [node for node in self.nodes.values() if node.type == "Suspend" and not node.final]

    def resume(self, now: float) -> list[Node]:
        """End the wait of these nodes, and answer which ones they were."""
        nodes = self.suspended()
        for node in nodes:
            node.phase, node.finished_at = "Succeeded", now
        return nodes

    def node(self, name: str) -> Node | None:
        return self.nodes.get(node_id(self.name, name))

    def in_exit(self, node: Node) -> bool:
        return node.name == self.exit_name or node.name.startswith(self.exit_name + ".")

    def pod(self, node: Node) -> str:
        return pod_name(self.name, node.template, node.name)

    def scope(self) -> dict[str, str]:
        """What every template of this workflow may refer to."""
        values = {f"workflow.parameters.{name}": value for name, value in self.arguments.items()}
        root = self.root
        status = root.phase if root else "Running"
        status = status if status in FINAL else "Running"
        return values | {
            "workflow.name": self.name,
            "workflow.namespace": self.namespace,
            "workflow.uid": self.uid,
            "workflow.status": status,
        }

    def progress(self, node: Node) -> tuple[int, int]:
        """Pods done and pods there are, of the node itself and below it."""
        todo, seen = [node.id], set[str]()
        done = total = 0
        while todo:
            current = todo.pop()
            if current in seen or current not in self.nodes:
                continue
            seen.add(current)
            found = self.nodes[current]
            if found.type == "Pod":
                total += 1
                done += found.phase == "Succeeded"
                if found is node:
                    break
            todo += found.children
        return done, total

    def status(self) -> dict[str, Any]:
        """The `status` of Argo's JSON, without the stored template."""
        if not self.phase:
            return {"startedAt": None, "finishedAt": None}
        pods = [node for node in self.nodes.values() if node.type == "Pod"]
        done = sum(pod.phase == "Succeeded" for pod in pods)
        made: dict[str, Any] = {
            "phase": self.phase,
            "startedAt": stamp(self.started_at),
            "finishedAt": stamp(self.finished_at),
            "progress": f"{done}/{len(pods)}",
        }
        if self.message:
            made["message"] = self.message
        if self.nodes:
            made["nodes"] = {key: node.document(self.progress(node)) for key, node in self.nodes.items()}
        if self.claims:
            made["persistentVolumeClaims"] = [
                {"name": volume, "persistentVolumeClaim": {"claimName": claim}} for volume, claim in self.claims.items()
            ]
        conditions = []
        if any(pod.placed for pod in pods):
            running = any(pod.phase == "Running" for pod in pods)
            conditions.append({"type": "PodRunning", "status": "True" if running else "False"})
        if self.finished:
            conditions.append({"type": "Completed", "status": "True"})
        if conditions:
            made["conditions"] = conditions
        if self.finished and pods:
            made["resourcesDuration"] = {
                what: sum((pod.resources or {}).get(what, 0) for pod in pods) for what in ("cpu", "memory")
            }
        if self.lock and not self.finished:
            made["synchronization"] = {"semaphore": self._semaphore(self.lock)}
        if self.nodes:
            made["artifactRepositoryRef"] = {"default": True, "artifactRepository": {}}
            made["artifactGCStatus"] = {"notSpecified": True}
        return made

    def _semaphore(self, lock: Lock) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if lock.held is not None:
            made["holding"] = [{"semaphore": lock.key} | ({"holders": [self.holder(lock)]} if lock.held else {})]
        if lock.blockers is not None:
            made["waiting"] = [{"semaphore": lock.key} | ({"holders": lock.blockers} if lock.blockers else {})]
        return made

    def holder(self, lock: Lock) -> str:
        """This workflow's name among a semaphore's holders."""
        return f"{self.namespace}/{self.name}/{lock.node}"

    def read_status(self, made: Mapping[str, Any]) -> None:
        """Raises Unreadable for what this version does not write."""
        status = Part(made, "status")
        phase = status.text("phase", "")
        if phase and phase not in PHASES:
            raise Unreadable("status.phase is not known to this version")
        self.phase, self.message = phase, status.text("message", "")
        self.started_at, self.finished_at = status.moment("startedAt"), status.moment("finishedAt")
        self.nodes = {key: self._read_node(key, node) for key, node in status.mapping("nodes").items()}
        self.claims = {
            item.text("name"): file_name(item.part("persistentVolumeClaim").text("claimName"), item.path)
            for item in status.parts("persistentVolumeClaims")
        }
        semaphore = status.part("synchronization").part("semaphore")
        holding, waiting = semaphore.parts("holding"), semaphore.parts("waiting")
        if holding or waiting:
            key = (holding or waiting)[0].text("semaphore")
            if key.count("/") < _KEY_SLASHES:
                raise Unreadable("status.synchronization names no semaphore")
            holders = holding[0].texts("holders") if holding else []
            waits = next((node.id for node in self.nodes.values() if node.waiting), "")
            node = holders[0].rpartition("/")[2] if holders else waits
            if node and node not in self.nodes:
                raise Unreadable("status.synchronization names a holder that is no node")
            self.lock = Lock(
                key=key,
                node=node,
                held=None if not holding else bool(holders),
                blockers=None if not waiting else waiting[0].texts("holders"),
            )

    def _read_node(self, key: str, made: Any) -> Node:
        node = Node.read(made, f"status.nodes.{key}")
        if node.id != key or not any(template.name == node.template for template in self.spec.templates):
            raise Unreadable(f"status.nodes.{key} does not belong to the stored template")
        return node
