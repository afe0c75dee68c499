"""One node of a workflow as the engine sees it, and its JSON as Argo v4.1.2 writes it.

Two things of a real node are left out: `estimatedDuration` (a guess from earlier runs) and copies of long arguments: a
raw artifact shows the reference that the template has, not the text it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from argo.local.engine.stored import Part, Unreadable
from argo.local.engine.times import stamp
from ocean.kit.digits import int64

FINAL: Final = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
PHASES: Final = FINAL | {"Pending", "Running"}
TYPES: Final = frozenset({"Pod", "DAG", "Retry", "Suspend", "Skipped"})
HOST: Final = "local"  # hostNodeName of every pod


@dataclass(slots=True)
class Node:
    id: str
    name: str
    display_name: str
    type: str  # Pod, DAG, Retry, Suspend, Skipped
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
    def read(cls, made: Any, path: str = "node") -> Node:
        """Raises Unreadable for what this version does not write."""
        node = Part(made, path)
        inputs, outputs = node.part("inputs"), node.part("outputs")
        code = outputs.text("exitCode", None)
        if code is not None and int64(code) is None:
            raise Unreadable(f"{path}.outputs.exitCode is not a number")
        flag, resources = node.mapping("nodeFlag"), node.mapping("resourcesDuration")
        if not all(type(value) is int for value in resources.values()):
            raise Unreadable(f"{path}.resourcesDuration is not made of numbers")
        return cls(
            id=node.text("id"),
            name=node.text("name"),
            display_name=node.text("displayName"),
            type=node.text("type", among=TYPES),
            template=node.text("templateName"),
            phase=node.text("phase", among=PHASES),
            started_at=node.moment("startedAt") or 0.0,
            boundary=node.text("boundaryID", ""),
            message=node.text("message", ""),
            finished_at=node.moment("finishedAt"),
            inputs={item.text("name"): item.text("value") for item in inputs.parts("parameters")},
            artifacts=inputs.objects("artifacts"),
            outputs=outputs.objects("parameters"),
            exit_code=None if code is None else int(code),
            children=node.texts("children"),
            outbound=node.texts("outboundNodes"),
            flag=flag if "nodeFlag" in node else None,
            placed="hostNodeName" in node,
            waiting=node.part("synchronizationStatus").text("waiting", ""),
            resources=resources if "resourcesDuration" in node else None,
        )
