"""What the client hands out: values that hold Argo's state, parsed once, without Argo's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

FIRST_SERVER: Final = "00"
UNFINISHED_PHASES = frozenset({"", "Pending", "Running"})
ACTION: Final = "workflows.argoproj.io/action"  # a label, of whoever stopped, terminated or resumed it
ARCHIVING: Final = "workflows.argoproj.io/workflow-archiving-status"  # a label; on a workflow when there is an archive
PENDING: Final = "Pending"  # its value: to be archived
PERSISTED: Final = "Persisted"  # its value on what comes from the archive
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NewWorkflow:
    """A workflow to be created: all that it says itself. What it does stands in its template.

    `arguments` are the template's, by name; labels and annotations are those of the workflow's metadata; `entrypoint`
    is where it begins, "" for the template's own.
    """

    name: str
    template: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    entrypoint: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a workflow. `phase`: Pending, Running, Succeeded, Skipped, Failed, Error, Omitted."""

    id: str
    name: str
    display_name: str
    type: str  # Pod, DAG, Retry, Suspend, Skipped, …
    template: str
    phase: str
    message: str
    exit_code: int | None
    started_at: datetime | None  # creation of the node, aware UTC
    finished_at: datetime | None
    outputs: Mapping[str, str]  # output parameters by name
    children: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)  # input parameters by name

    @property
    def final(self) -> bool:
        return self.phase not in UNFINISHED_PHASES


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow, live or archived. `phase` is "" until the controller has seen it."""

    name: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    arguments: Mapping[str, str]  # empty where they were not asked for (lists, status)
    created_at: datetime
    phase: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None
    shutdown: str  # "", "Stop", "Terminate"
    entrypoint: str = ""  # where it begins, if not where its template says
    nodes: tuple[Node, ...] = ()

    @property
    def finished(self) -> bool:
        """The end is the phase: `finished_at` may be absent for an Error."""
        return self.phase not in UNFINISHED_PHASES

    @property
    def age(self) -> tuple[datetime, str]:
        """To sort by: the oldest first, as Argo gives places; of the same second the one with the lower name."""
        return self.created_at, self.name

    def node(self, display_name: str) -> Node | None:
        """The node with that display name; of several (never in our templates) the newest."""
        found = (node for node in self.nodes if node.display_name == display_name)
        return max(found, key=lambda node: node.started_at or _NEVER, default=None)

    def last_attempt(self, display_name: str) -> Node | None:
        """The node of that step's newest pod: its last attempt where it may be tried again, else the node itself."""
        node = self.node(display_name)
        if node is None or node.type != "Retry":
            return node
        by_id = {other.id: other for other in self.nodes}
        attempts = [by_id[child] for child in node.children if child in by_id]
        return attempts[-1] if attempts else None


@dataclass(frozen=True, slots=True)
class Template:
    """One WorkflowTemplate."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    arguments: Mapping[str, str | None] = field(default_factory=dict)  # declared parameters and their defaults
    images: Mapping[str, str] = field(default_factory=dict)  # of its steps that are containers, by their names
    server: str = FIRST_SERVER  # two lower-case hex digits: which of several Argo Servers has it
