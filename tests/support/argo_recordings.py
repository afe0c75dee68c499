"""Compares what an Argo server does with what a real one was recorded doing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from contract.argo_releases import NEWEST, ArgoRelease
from tests.support.argo_server import RECORDINGS

_LABEL_SINCE_4_1 = "workflows.argoproj.io/workflow-template"
_ANNOTATION_UNTIL_4_0 = "workflows.argoproj.io/last-seen-version"
State = tuple[str, str]  # phase, constant part of the message


def recording(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDINGS / "jobs" / f"{name}.json").read_text())
    return found


def constant(message: str | None) -> str:
    """What of a message does not depend on the place: not the registry's words, not the semaphore's size."""
    text = message or ""
    for start in ("ErrImagePull", "ImagePullBackOff"):
        if text.startswith(start):
            return start
    return re.sub(r"Lock status: \d+/\d+", "Lock status", text)


def node_facts(workflow: str, node: dict[str, Any]) -> dict[str, Any]:
    """What must be equal at the end."""
    keys = ("id", "name", "displayName", "type", "templateName", "templateScope", "boundaryID", "phase", "progress")
    facts = {key: node.get(key) for key in (*keys, "outputs", "children", "outboundNodes", "nodeFlag")}
    facts["message"] = constant(node.get("message"))
    facts["inputs"] = node.get("inputs", {}).get("parameters")
    facts["times"] = (bool(node.get("startedAt")), bool(node.get("finishedAt")))
    facts["placed"] = "hostNodeName" in node
    return facts


def workflow_facts(workflow: dict[str, Any]) -> dict[str, Any]:
    status, metadata = workflow["status"], workflow["metadata"]
    own = "workflows.argoproj.io/"
    who = {own + "creator", own + "actor", own + "workflow-archiving-status"}  # the last: some had an archive
    labels = {k: v for k, v in metadata["labels"].items() if k not in who}
    volatile = {"nodes", "startedAt", "finishedAt", "estimatedDuration", "resourcesDuration", "storedTemplates"}
    volatile |= {"storedWorkflowTemplateSpec", "conditions"}
    return {
        "labels": labels,
        "annotations": {k: v for k, v in metadata.get("annotations", {}).items() if not k.endswith("trace-id")},
        "shutdown": workflow["spec"].get("shutdown"),
        "status": {key: value for key, value in status.items() if key not in volatile},
        "completed": {"type": "Completed", "status": "True"} in status.get("conditions", []),
        "times": (bool(status.get("startedAt")), bool(status.get("finishedAt"))),
    }


def differences(recorded: dict[str, Any], ours: dict[str, Any], argo: ArgoRelease = NEWEST) -> list[str]:
    """Of two workflows of the same name at their end; `argo`: where the second ran."""
    name = ours["metadata"]["name"]
    facts = workflow_facts(recorded), workflow_facts(ours)
    if argo is not NEWEST:
        for each in facts:
            each["labels"].pop(_LABEL_SINCE_4_1, None)
            each["annotations"].pop(_ANNOTATION_UNTIL_4_0, None)
    found = _unequal("workflow", *facts)
    old, new = recorded["status"].get("nodes", {}), ours["status"].get("nodes", {})
    found += [f"node {key} is missing" for key in old.keys() - new.keys()]
    found += [f"node {key} was not recorded" for key in new.keys() - old.keys()]
    for key in old.keys() & new.keys():
        title = old[key]["displayName"]
        found += _unequal(title, node_facts(name, old[key]), node_facts(name, new[key]))
    return found


def _unequal(title: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [f"{title}.{key}: recorded {old[key]!r}, here {new[key]!r}" for key in old if old[key] != new[key]]


def states(workflow: dict[str, Any]) -> dict[str, State]:
    """State of the workflow ("") and of each node by display name."""
    status, name = workflow["status"], workflow["metadata"]["name"]
    found = {"": (status.get("phase", ""), constant(status.get("message")))}
    for node in status.get("nodes", {}).values():
        found[node["displayName"].replace(name, "$")] = (node["phase"], constant(node.get("message")))
    return found


def kinds(workflow: dict[str, Any]) -> set[tuple[str, str, str]]:
    """(type, phase, message) of every node."""
    nodes = workflow["status"].get("nodes", {}).values()
    return {
        (node["type"], node["phase"], re.sub(r"exit code \d+", "exit code", constant(node.get("message"))))
        for node in nodes
    }


FINAL = {"Succeeded", "Failed", "Error", "Skipped", "Omitted"}


def order_contradictions(recorded: Iterable[dict[str, Any]], ours: Iterable[dict[str, Any]]) -> list[str]:
    """Pairs of things that happened here in the opposite order.

    Compared are the states of one node among each other, and of different nodes their making and their end.
    """
    first_old, first_new = _firsts(recorded), _firsts(ours)
    common = [event for event in first_old if event in first_new]
    found = []
    for one in common:
        for other in common:
            comparable = one[0] == other[0] or (one[1] in ("made", "final") and other[1] in ("made", "final"))
            if comparable and first_old[one] < first_old[other] and first_new[one] > first_new[other]:
                found.append(f"{one} was recorded before {other}")
    return found


def _firsts(workflows: Iterable[dict[str, Any]]) -> dict[tuple[str, Any], int]:
    found: dict[tuple[str, Any], int] = {}
    for position, workflow in enumerate(workflows):
        for name, state in states(workflow).items():
            found.setdefault((name, state), position)
            found.setdefault((name, "made"), position)
            if state[0] in FINAL:
                found.setdefault((name, "final"), position)
    return found
