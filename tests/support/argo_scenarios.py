"""The recorded jobs as a list: how to make each happen again, and which differences are known, with their reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contract.argo_releases import ArgoRelease
from tests.support.argo_recordings import recording
from tests.support.argo_server import RECORDINGS

When = Callable[[dict[str, Any]], bool]


def names_recorded() -> list[str]:
    return sorted(path.stem for path in (RECORDINGS / "jobs").glob("*.json"))


@dataclass(frozen=True)
class Scenario:
    name: str
    template: str = "rec-plain"
    spec: dict[str, Any] = field(default_factory=dict)  # of the workflow, beside reference and arguments
    actions: tuple[tuple[str, When], ...] = ()
    missed: When | None = None  # its end, if the action came too late: then it is played again
    queued: bool = False
    runs: bool = True  # has nodes
    differs: tuple[str, ...] = ()  # beginnings of difference lines that are known

    def known(self, argo: ArgoRelease) -> tuple[str, ...]:
        """Parts of difference lines that are known there."""
        found = self.differs
        stopped = any(action == "stop" and when is not is_finished for action, when in self.actions)
        if stopped and not argo.stop_waits_for_exit_handler:
            # The pods that it ends with itself may end before or after; its label says its phase too.
            found += ("algorithm.outputs", "algorithm.message")
            found += ("publishing", ".onExit.", "workflow.status", "workflow.times", "workflow.labels")
        if any(action == "terminate" for action, _ in self.actions) and not argo.stop_waits_for_exit_handler:
            found += ("publishing.",)  # what has not ended is left as it was
        if self.queued and stopped and not argo.stops_what_waits:
            found += ("",)  # it gets its place, runs, and is stopped then
        if self.template == "rec-pending" and not argo.pending_timeout:
            found += ("algorithm.",)
        return found

    @property
    def arguments(self) -> dict[str, str]:
        found: dict[str, str] = recording(self.name).get("arguments") or {}
        return found


def node_is(display_name: str, *phases: str) -> When:
    def look(workflow: dict[str, Any]) -> bool:
        nodes = workflow["status"].get("nodes", {}).values()
        return any(node["displayName"] == display_name and node["phase"] in phases for node in nodes)

    return look


def exited(display_name: str) -> When:
    def look(workflow: dict[str, Any]) -> bool:
        nodes = workflow["status"].get("nodes", {}).values()
        return any(node["displayName"] == display_name and "exitCode" in node.get("outputs", {}) for node in nodes)

    return look


def root_waits(workflow: dict[str, Any]) -> bool:
    return any("synchronizationStatus" in node for node in workflow["status"].get("nodes", {}).values())


def is_finished(workflow: dict[str, Any]) -> bool:
    return workflow["status"].get("phase") in ("Succeeded", "Failed", "Error")


PLAIN = (
    "success argument-unknown algorithm-exit-3 algorithm-and-publishing-fail configuration-exit-31 "
    "configuration-exit-75-retried publishing-exit-62 command-missing deadline-obeys-sigterm deadline-ignores-sigterm"
)

RUN: list[Scenario] = [
    *(Scenario(name) for name in PLAIN.split()),
    Scenario("argument-missing", runs=False),
    Scenario("template-unknown", template="nope", runs=False),
    Scenario("template-reference-strict", spec={"serviceAccountName": "default"}, runs=False),
    Scenario("success-filtered", template="rec-filter"),
    Scenario("algorithm-exit-3-filtered", template="rec-filter"),
    Scenario("filter-refuses", template="rec-filter"),
    Scenario("filter-with-init-container", template="rec-collect"),
    Scenario("out-of-memory"),
    # The recorded image has busybox, whose shell answers its own SEGV with exit code 1; others die of it (139).
    Scenario("algorithm-killed-by-signal", differs=("algorithm.outputs", "algorithm.message")),
    Scenario("image-missing"),
    # The recorded node was overwritten to Pending a moment after it had failed with "timeout"; the single-machine
    # server leaves it Failed.
    Scenario(
        "image-missing-pending-timeout",
        template="rec-pending",
        differs=("algorithm.phase", "algorithm.message"),
    ),
    # The stop may come before its pod has a node. The pod's own work takes milliseconds.
    Scenario(
        "stop-while-configuring",
        actions=(("stop", node_is("configuration(0)", "Pending", "Running")),),
        missed=exited("configuration(0)"),
        differs=("configuration(0).placed",),
    ),
    Scenario("stop-while-running", actions=(("stop", node_is("algorithm", "Running")),)),
    Scenario("stop-ignored-sigterm", actions=(("stop", node_is("algorithm", "Running")),)),
    Scenario("stop-while-publishing", template="rec-pending", actions=(("stop", node_is("publishing(0)", "Running")),)),
    Scenario("stop-while-queued", queued=True, actions=(("stop", root_waits),)),
    Scenario("queued-then-runs", queued=True),
    Scenario("stop-finished", actions=(("stop", is_finished),)),
    # The algorithm's pod may end before the workflow or after it.
    Scenario(
        "terminate-while-running",
        actions=(("terminate", node_is("algorithm", "Running")),),
        differs=("algorithm.outputs",),
    ),
    # The recorded publishing pod still delivered the default of its output parameter; here it is dead at once.
    Scenario(
        "terminate-while-publishing",
        template="rec-pending",
        actions=(("terminate", node_is("publishing(0)", "Running")),),
        differs=("publishing(0).outputs",),
    ),
]

NOT_RUN = {
    "algorithm-pod-deleted": "deletes a pod through Kubernetes; the loss of a pod's process is tested on its own",
}
