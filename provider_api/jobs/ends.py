"""What Argo's nodes tell of the end of an algorithm's pod: the facts from which `status` makes its verdict.

Two witnesses say why a program ended. Argo's nodes have times, codes and the kubelet's words, which no algorithm can
write; but a program that ends with 124 by itself looks there like one whose time was over, and a pod that waited for
its image until the deadline like one that was killed. The start script knows, and publishing repeats its note
(`Summary.run`); but the algorithm can rewrite that. So the note decides only between what the nodes allow.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Final

from argo.client.records import Node, Workflow
from contract import names
from contract.manifest import ManifestInvalid, Summary, parse_summary
from contract.names import ALGORITHM, CONFIGURATION, PUBLISHING

DEADLINE: Final = "longer than the specified deadline"  # Argo's constant text
CLOCK_SECONDS: Final = 2.0  # Argo's times are whole seconds
GRACE_SECONDS: Final = 5.0  # of the algorithm's pod: whoever ran has at least these between SIGTERM and SIGKILL
_KILLED: Final = 137
_MOST_TEXT: Final = 300  # characters of somebody else's words

# The kubelet's words for a pod that it evicted because of a limit of the pod itself.
_EXCEEDED: Final = (
    re.compile(r'Usage of EmptyDir volume "[^"]*" exceeds the limit "[^"]*"'),
    re.compile(r'[Cc]ontainer \S+ exceeded its local ephemeral storage limit "[^"]*"'),
    re.compile(r"Pod ephemeral local storage usage exceeds the total limit of containers [^\s.]+"),
)
_EVICTED: Final = re.compile(r"The node was low on resource: [A-Za-z0-9./-]*[A-Za-z0-9]")
_USUAL: Final = ("", "PodInitializing", "ContainerCreating")  # while a pod is on its way


def told_results(workflow: Workflow) -> str:
    """The output of the publishing step as it is; "" until there is one."""
    nodes = (workflow.node(PUBLISHING), workflow.last_attempt(PUBLISHING))
    texts = (node.outputs.get(names.OUT_RESULTS, "") for node in nodes if node is not None)
    return next((text for text in texts if text), "")


def summary_of(workflow: Workflow) -> Summary | None:
    """What publishing has told; None where that is nothing, or cannot be read."""
    try:
        return parse_summary(told_results(workflow))
    except ManifestInvalid:
        return None


def noted(workflow: Workflow) -> str | None:
    """The start script's note; None where nobody has told it (yet)."""
    summary = summary_of(workflow)
    return None if summary is None else summary.run


def time_was_over(workflow: Workflow, algorithm: Node) -> bool:
    """Whether the algorithm's time limit, or its paid time, has really passed; not if the note says otherwise."""
    if noted(workflow) in ("own", "never", "over") or algorithm.started_at is None:
        return False
    seconds, paid_until = _limits(workflow)
    ends = [] if seconds is None else [algorithm.started_at.timestamp() + seconds]
    ends += [] if paid_until is None else [paid_until]
    return _passed(algorithm.finished_at, min(ends, default=None))


def paid_time_was_over(workflow: Workflow, algorithm: Node) -> bool:
    """Whether the paid time had passed when the algorithm's pod ended."""
    if noted(workflow) not in ("over", "never", None):
        return False
    return _passed(algorithm.finished_at, _limits(workflow)[1])


def never_ran(workflow: Workflow, algorithm: Node) -> bool:
    """Whether its container did not even start, whatever its deadline says: Argo calls that Failed, with code 137."""
    if not algorithm.final or algorithm.phase in ("Omitted", "Skipped"):
        return True
    if DEADLINE not in algorithm.message or algorithm.exit_code not in (None, _KILLED):
        return False
    told = noted(workflow)
    if told is not None:
        return told == "never"
    # A job of an older version. A program that is told to end and does not ends a grace period after the deadline.
    text = algorithm.inputs.get(names.IN_SECONDS) or workflow.arguments.get(names.ARG_SECONDS, "")
    times = algorithm.started_at, algorithm.finished_at
    if not (text.isascii() and text.isdigit()) or times[0] is None or times[1] is None:
        return False
    return (times[1] - times[0]).total_seconds() < int(text) + GRACE_SECONDS


def exceeded(message: str) -> str:
    """Which limit of its own a pod was evicted for, in the kubelet's words; "" for none."""
    return next((found[0] for pattern in _EXCEEDED if (found := pattern.search(message))), "")


def evicted(message: str) -> str:
    """What the pod's node was short of, in the kubelet's words; "" if it was not."""
    found = _EVICTED.search(message)
    return found[0] if found else ""


def image_of(workflow: Workflow) -> str:
    return workflow.annotations.get(names.IMAGE) or workflow.arguments.get(names.ARG_IMAGE, "")


def waits_for(workflow: Workflow) -> str:
    """Why the algorithm's pod has not started yet, once there is something to say."""
    algorithm = workflow.node(ALGORITHM)
    if algorithm is None or algorithm.phase not in ("", "Pending") or algorithm.message in _USUAL:
        return ""
    image, message = image_of(workflow), " ".join(algorithm.message.split())
    about = f"image {image}: " if image and "mage" in message.split(":")[0] else ""
    return (about + message)[:_MOST_TEXT]


def _limits(workflow: Workflow) -> tuple[float | None, float | None]:
    """The seconds that the algorithm was given, and the moment until which it is paid for; None: unknown, or no end."""
    text = workflow.annotations.get(names.VALID_UNTIL, "")
    paid_until = float(text) if text.isascii() and text.isdigit() and int(text) > 0 else None
    configuration = workflow.node(CONFIGURATION)
    told = configuration.outputs.get(names.OUT_LIMITS, "") if configuration is not None else ""
    try:
        document = json.loads(told) if told else {}
        seconds, until = document.get("run_seconds"), document.get("paid_until", paid_until)
        return (None if seconds is None else float(seconds)), (None if until is None else float(until))
    except (ValueError, TypeError, AttributeError):
        return None, paid_until


def _passed(moment: datetime | None, end: float | None) -> bool:
    return moment is not None and end is not None and moment.timestamp() >= end - CLOCK_SECONDS
