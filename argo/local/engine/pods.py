"""From what a pod did to what its node says: phases, messages and exit codes as Argo gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from argo.local.engine.node import Node
from argo.local.engine.step import Observation, Step
from argo.local.pods.runtime import PodEnd
from argo.local.spec import quantities
from argo.local.spec.model import Template
from argo.local.spec.substitution import UnknownTag, substitute

DEADLINE: Final = "Pod was active on the node longer than the specified deadline"
DELETED: Final = "pod deleted"
INITIALIZING: Final = "PodInitializing"
TIMEOUT: Final = "timeout"
_KILLED: Final = 128 + 9


def observe(step: Step, node: Node) -> None:
    """Take in what is known of the node's pod; ask for its start when nothing is."""
    template = step.run.spec.template(node.template)
    seen = step.observations.get(node.id)
    if node.final:
        if seen and seen.status.end and node.message.startswith("workflow shutdown"):
            _after_stop(node, template, seen, seen.status.end)
        return
    if seen is None:
        step.start.append(node)  # new, or the server was started again: starting twice is harmless
    elif seen.impossible:
        step.end(node, "Error", seen.impossible)
    elif seen.pending:
        node.message = seen.pending
        node.placed = True
    elif seen.status.state == "starting":
        if node.phase == "Pending":
            node.placed, node.message = True, INITIALIZING
    elif seen.status.state == "running":
        node.placed, node.phase, node.message = True, "Running", ""
    elif seen.status.end:
        node.placed = True
        _ended(node, template, seen, seen.status.end)
    else:
        step.end(node, "Error", DELETED)
    if node.phase == "Pending" and not node.final and (seen is None or seen.pending):
        _watch_the_clock(step, node, template)


def deadline(template: Template, scope: Mapping[str, str]) -> float | None:
    """`activeDeadlineSeconds` as seconds. Raises ValueError, UnknownTag."""
    value = template.active_deadline_seconds
    if value is None:
        return None
    seconds = int(substitute(str(value), scope))
    if seconds <= 0:
        raise ValueError(f"activeDeadlineSeconds must be positive, not {seconds}")
    return float(seconds)


def _watch_the_clock(step: Step, node: Node, template: Template) -> None:
    """A pod that does not start: the runtime's own clock does not run yet."""
    seen = step.observations.get(node.id)
    if template.pending_timeout is not None and not (seen and seen.no_room):
        due = node.started_at + quantities.seconds(template.pending_timeout)
        if step.now >= due:
            step.end(node, "Failed", TIMEOUT)
            return
        step.wake(due)
    try:
        limit = deadline(template, step.run.scope() | {f"inputs.parameters.{k}": v for k, v in node.inputs.items()})
    except (ValueError, UnknownTag):
        return  # its start says so
    if limit is not None:
        due = node.started_at + limit
        if step.now >= due:
            node.exit_code = _KILLED  # as the kubelet reports a container that never ran
            step.end(node, "Failed", DEADLINE)
        else:
            step.wake(due)


def _ended(node: Node, template: Template, seen: Observation, end: PodEnd) -> None:
    node.finished_at, node.message = end.finished_at, ""
    node.resources = _resources(template, end)
    if end.why in ("exited", "stopped", "deadline", "out_of_memory", "out_of_disk"):
        node.exit_code = end.code
        node.outputs = _outputs(template, seen)
    if end.why == "lost":
        node.phase, node.message = "Error", DELETED
    elif end.why in ("init_failed", "setup_failed"):
        node.phase, node.message = "Error", end.message
    elif end.why == "deadline":
        node.phase, node.message = "Failed", DEADLINE
    elif end.why == "out_of_memory":
        node.exit_code = _KILLED
        node.phase, node.message = "Failed", f"main: OOMKilled (exit code {_KILLED})"
    elif end.why == "out_of_disk":
        node.phase, node.message = "Failed", end.message
    elif end.code != 0:
        node.phase, node.message = "Failed", f"main: Error (exit code {end.code})"
    elif seen.missing:
        node.phase, node.message = (
            "Error",
            f"wait: Error (exit code 64): open {seen.missing}: no such file or directory",
        )
    else:
        node.phase = "Succeeded"


def _after_stop(node: Node, template: Template, seen: Observation, end: PodEnd) -> None:
    """A pod that was told to end: its exit code is known if it obeyed, not if it had to be killed."""
    node.finished_at = end.finished_at
    node.outputs = _outputs(template, seen)
    if end.code is None or end.code == _KILLED or end.why == "lost":
        return
    node.exit_code = end.code
    if end.code != 0:
        node.message = f"main: Error (exit code {end.code})"


def _outputs(template: Template, seen: Observation) -> list[dict[str, object]]:
    return [
        {
            "name": item.name,
            "value": seen.outputs[item.name],
            "valueFrom": item.value_from.model_dump(by_alias=True, exclude_none=True),
        }
        for item in template.outputs.parameters
        if item.name in seen.outputs
    ]


def _resources(template: Template, end: PodEnd) -> dict[str, int]:
    """Argo's estimate: seconds * request, in processors and in units of 100 MiB."""
    requests = template.container.resources.requests if template.container else {}
    seconds = max(0.0, end.finished_at - (end.started_at or end.finished_at))
    return {
        "cpu": int(seconds * float(quantities.quantity(requests.get("cpu", "100m")))),
        "memory": int(seconds * float(quantities.quantity(requests.get("memory", "100Mi"))) / (100 << 20)),
    }
