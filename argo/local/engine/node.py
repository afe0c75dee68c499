"""One node of a workflow as the engine sees it, and its JSON as Argo v4.1.2 writes it.

Two things of a real node are left out: `estimatedDuration` (a guess from earlier runs) and copies of long arguments: a
raw artifact shows the reference that the template has, not the text it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from argo.local.engine.times import parse, stamp

FINAL: Final = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
HOST: Final = "local"  # hostNodeName of every pod


@dataclass(slots=True)
class Node:
    id: str
    name: str
    display_name: str
    type: str  # Pod, DAG, Retry, Skipped
    template: str
    phase: str
    started_at: float
    boundary: str = ""
    message: str = ""
    finished_at: float | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)  # parameters, as Argo writes them
    exit_code: int | None = None
    children: list[str] = field(default_factory=list)
    outbound: list[str] = field(default_factory=list)
    flag: dict[str, bool] | None = None
    placed: bool = False  # its pod has been handed to the runtime
    waiting: str = ""  # the lock it waits for
    resources: dict[str, int] | None = None

    @property
    def final(self) -> bool:
        return self.phase in FINAL

    def document(self, progress: tuple[int, int]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "displayName": self.display_name,
            "type": self.type,
            "templateName": self.template,
            "templateScope": "local/",
            "phase": self.phase,
        }
        if self.boundary:
            made["boundaryID"] = self.boundary
        if self.message:
            made["message"] = self.message
        made |= {"startedAt": stamp(self.started_at), "finishedAt": stamp(self.finished_at)}
        if progress[1]:
            made["progress"] = f"{progress[0]}/{progress[1]}"
        if self.resources is not None:
            made["resourcesDuration"] = self.resources
        if self.flag is not None:
            made["nodeFlag"] = self.flag
        inputs: dict[str, Any] = {}
        if self.inputs:
            inputs["parameters"] = [{"name": name, "value": value} for name, value in self.inputs.items()]
        if self.artifacts:
            inputs["artifacts"] = self.artifacts
        if inputs:
            made["inputs"] = inputs
        outputs: dict[str, Any] = {"parameters": self.outputs} if self.outputs else {}
        if self.exit_code is not None:
            outputs["exitCode"] = str(self.exit_code)
        if outputs:
            made["outputs"] = outputs
        for key, value in (("children", self.children), ("outboundNodes", self.outbound)):
            if value:
                made[key] = value
        if self.type == "Pod":
            made |= {"hostNodeName": HOST} if self.placed else {}
            made["taskResultSynced"] = self.final or not self.placed
        if self.waiting:
            made["synchronizationStatus"] = {"waiting": self.waiting}
        return made

    @classmethod
    def read(cls, made: Mapping[str, Any]) -> Node:
        inputs, outputs = made.get("inputs", {}), made.get("outputs", {})
        code = outputs.get("exitCode")
        return cls(
            id=made["id"],
            name=made["name"],
            display_name=made["displayName"],
            type=made["type"],
            template=made["templateName"],
            phase=made["phase"],
            started_at=parse(made["startedAt"]) or 0.0,
            boundary=made.get("boundaryID", ""),
            message=made.get("message", ""),
            finished_at=parse(made["finishedAt"]),
            inputs={item["name"]: item["value"] for item in inputs.get("parameters", [])},
            artifacts=inputs.get("artifacts", []),
            outputs=outputs.get("parameters", []),
            exit_code=None if code is None else int(code),
            children=made.get("children", []),
            outbound=made.get("outboundNodes", []),
            flag=made.get("nodeFlag"),
            placed="hostNodeName" in made,
            waiting=made.get("synchronizationStatus", {}).get("waiting", ""),
            resources=made.get("resourcesDuration"),
        )
