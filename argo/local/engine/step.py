"""What one look at a workflow adds up to: changed nodes, pods to start and to stop, when to look again.

`dag`, `pods` and `retry` take part in a look by what stands here; `advance` drives it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from argo.local.engine.node import Node
from argo.local.engine.state import Run
from argo.local.pods.runtime import PodStatus
from argo.local.spec.model import Template
from argo.naming import node_id


@dataclass(frozen=True, slots=True)
class Observation:
    """`pending`: why the pod could not be started yet. `impossible`: why it never can."""

    status: PodStatus = field(default_factory=lambda: PodStatus("starting"))
    outputs: Mapping[str, str] = field(default_factory=dict)  # output parameters by name, of an ended pod
    missing: str = ""  # path of an output parameter that has no file and no default
    pending: str = ""
    impossible: str = ""
    no_room: bool = False  # pending for want of room on this machine: that is waited for as long as the job may last


class Step(ABC):
    """One look. `observations` are what the pods did, by the id of their node; `now` is in Unix seconds."""

    def __init__(self, run: Run, observations: Mapping[str, Observation], now: float) -> None:
        self.run, self.observations, self.now = run, observations, now
        self.start: list[Node] = []  # pods to start: their nodes are new, or their start is to be tried again
        self.stop: list[Node] = []
        self.wake_at: float | None = None  # look again then

    @abstractmethod
    def execute(
        self,
        template: Template,
        name: str,
        display_name: str,
        *,
        boundary: str = "",
        inputs: Mapping[str, str] | None = None,
        hooked: bool = False,
    ) -> Node:
        """The node of one use of a template, made or carried on."""

    def wake(self, at: float) -> None:
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)

    def forbids(self, node_name: str) -> bool:
        """Does a stop or terminate forbid that this node goes on?"""
        strategy = self.run.shutdown
        in_exit = node_name.startswith(self.run.exit_name)
        return strategy == "Terminate" or (strategy == "Stop" and not in_exit)

    def add(
        self, kind: str, name: str, display_name: str, template: str, *, boundary: str = "", hooked: bool = False
    ) -> Node:
        node = Node(
            id=node_id(self.run.name, name),
            name=name,
            display_name=display_name,
            type=kind,
            template=template,
            phase="Pending" if kind == "Pod" else "Running",
            started_at=self.now,
            boundary=boundary,
            flag={"hooked": True} if hooked else None,
        )
        self.run.nodes[node.id] = node
        return node

    def end(self, node: Node, phase: str, message: str = "") -> None:
        node.phase, node.message, node.finished_at, node.waiting = phase, message, self.now, ""
