"""Drives the engine by hand: pods are what the test says they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from argo.local.engine.advance import Advance
from argo.local.engine.node import Node
from argo.local.engine.state import Run
from argo.local.engine.step import Observation
from argo.local.pods.runtime import PodEnd, PodStatus
from argo.local.spec.check import read_spec
from argo.local.spec.submission import merged_arguments
from argo.local.workflows.semaphores import Semaphores
from tests.support.argo_server import RECORDINGS, queued_template


def template(name: str = "rec-plain", change: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """The `spec` of a recorded template, or of `rec-queued`, changed."""
    path = RECORDINGS / "templates" / f"{name}.yaml"
    document = queued_template() if name == "rec-queued" else yaml.safe_load(path.read_text())
    spec: dict[str, Any] = document["spec"]
    if change is not None:
        change(spec)
    return spec


class Story:
    """One workflow. `pod(display name).…` changes what is seen; `look` is one pass of the engine."""

    def __init__(
        self,
        name: str = "rec-plain",
        change: Callable[[dict[str, Any]], None] | None = None,
        locks: Semaphores | None = None,
        workflow: str = "j",
        created_at: float = 0.0,
        entrypoint: str = "",
        **arguments: str,
    ) -> None:
        spec = read_spec(name, template(name, change))
        spec = spec.model_copy(update={"entrypoint": entrypoint or spec.entrypoint})
        given = {"job-spec": "QUJD", **{key.replace("_", "-"): value for key, value in arguments.items()}}
        self.run = Run(workflow, "uid-1", "jobs", created_at, spec, merged_arguments(spec, given))
        self.locks = locks or Semaphores(lambda name, key: 1)
        self.now = 1000.0
        self.seen: dict[str, Observation] = {}
        self.started: list[str] = []
        self.stopped: list[str] = []
        self.wake_at: float | None = None

    def look(self, seconds: float = 0.0) -> Story:
        self.now += seconds
        step = Advance(self.run, self.seen, self.locks, self.now)
        step.perform()
        self.started = [node.display_name for node in step.start]
        self.stopped = [node.display_name for node in step.stop]
        self.wake_at = step.wake_at
        if self.run.lock and self.run.lock.held is False:
            self.locks.release(self.run.name)
        return self

    def node(self, display_name: str) -> Node:
        return next(node for node in self.run.nodes.values() if node.display_name == display_name)

    def has(self, display_name: str) -> bool:
        return any(node.display_name == display_name for node in self.run.nodes.values())

    def see(self, display_name: str, state: str) -> Story:
        self.seen[self.node(display_name).id] = Observation(PodStatus(state))  # type: ignore[arg-type]
        return self.look()

    def pending(self, display_name: str, message: str) -> Story:
        self.seen[self.node(display_name).id] = Observation(pending=message)
        return self.look()

    def end(
        self, display_name: str, code: int | None = 0, why: str = "exited", message: str = "", **outputs: str
    ) -> Story:
        end = PodEnd(why, code, message, self.now - 1, self.now)  # type: ignore[arg-type]
        self.seen[self.node(display_name).id] = Observation(PodStatus("ended", end=end), outputs)
        return self.look()

    def stop(self, strategy: str = "Stop") -> Story:
        self.run.shutdown = strategy
        return self.look()

    def resume(self) -> Story:
        self.run.resume(self.now)
        return self.look()

    def phases(self) -> dict[str, str]:
        return {node.display_name: node.phase for node in self.run.nodes.values()}
