"""One workflow as the engine sees it, and its status as Argo v4.1.2 writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from argo.local.engine.node import FINAL, Node
from argo.local.engine.times import parse, stamp
from argo.local.spec.model import Spec
from argo.naming import node_id, pod_name

OWN: Final = "workflows.argoproj.io/"


@dataclass(slots=True)
class Lock:
    """The semaphore of the entrypoint. `blockers`: who held it while this workflow last waited."""

    key: str  # namespace/ConfigMap/name/key
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
            made["holding"] = [{"semaphore": lock.key} | ({"holders": [self.holder]} if lock.held else {})]
        if lock.blockers is not None:
            made["waiting"] = [{"semaphore": lock.key} | ({"holders": lock.blockers} if lock.blockers else {})]
        return made

    @property
    def holder(self) -> str:
        """This workflow's name among a semaphore's holders."""
        return f"{self.namespace}/{self.name}/{self.name}"

    def read_status(self, made: Mapping[str, Any]) -> None:
        self.phase, self.message = made.get("phase", ""), made.get("message", "")
        self.started_at, self.finished_at = parse(made.get("startedAt")), parse(made.get("finishedAt"))
        self.nodes = {key: Node.read(node) for key, node in made.get("nodes", {}).items()}
        self.claims = {
            item["name"]: item["persistentVolumeClaim"]["claimName"] for item in made.get("persistentVolumeClaims", [])
        }
        semaphore = made.get("synchronization", {}).get("semaphore", {})
        holding, waiting = semaphore.get("holding"), semaphore.get("waiting")
        if holding or waiting:
            self.lock = Lock(
                key=(holding or waiting)[0]["semaphore"],
                held=None if not holding else bool(holding[0].get("holders")),
                blockers=None if not waiting else list(waiting[0].get("holders", [])),
            )
