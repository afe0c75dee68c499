"""One look at one workflow: take in what its pods did, obey a stop, go on with the DAGs, finish.

`Advance` changes the workflow's state and collects what has to be done outside (`start`, `stop`, `wake_at`). It can be
repeated at any time: with the same facts it changes nothing. Rules and messages as recorded from Argo v4.1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from argo.local.engine import dag, pods, retry
from argo.local.engine.node import Node
from argo.local.engine.state import Lock, Run
from argo.local.engine.step import Observation, Step
from argo.local.spec.model import Template

KILLED: Final = "workflow shutdown with strategy:  {}"
STOPPED: Final = "Stopped with strategy '{}'"


class Locks(Protocol):
    """The semaphores of all workflows."""

    def limit(self, key: str) -> int | None: ...
    def acquire(self, key: str, run: Run) -> bool: ...
    def holders(self, key: str) -> list[str]: ...


def _kind(template: Template) -> str:
    """The type of a template's node."""
    if template.dag is not None:
        return "DAG"
    if template.suspend is not None:
        return "Suspend"
    return "Retry" if template.retry_strategy else "Pod"


class Advance(Step):
    """The look itself. `locks` are the semaphores of all workflows."""

    def __init__(self, run: Run, observations: Mapping[str, Observation], locks: Locks, now: float) -> None:
        super().__init__(run, observations, now)
        self.locks = locks

    def perform(self) -> None:
        run = self.run
        if run.finished:
            return
        if not run.phase:
            run.phase, run.started_at = "Running", self.now
            run.claims = {
                claim.metadata["name"]: f"{run.name}-{claim.metadata['name']}"
                for claim in run.spec.volume_claim_templates
            }
        for node in list(run.nodes.values()):
            if node.type == "Pod":
                pods.observe(self, node)
        self._obey_shutdown()
        root = self.execute(run.spec.template(run.spec.entrypoint), run.name, run.name)
        if run.lock and run.lock.held and run.nodes[run.lock.node].final:
            run.lock.held = False
        if root.final:
            self._finish(root)

    # -- shutdown

    def _obey_shutdown(self) -> None:
        for node in filter(lambda node: self.forbids(node.name), self.run.suspended()):
            self.end(node, "Failed", STOPPED.format(self.run.shutdown))
        for node in self.run.nodes.values():
            if node.type == "Pod" and not node.final and self.forbids(node.name):
                node.phase, node.message, node.finished_at = "Failed", KILLED.format(self.run.shutdown), self.now
                node.placed = True  # its start was asked for when the node was made
                self.stop.append(node)

    # -- templates

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
        node = self.run.node(name)
        if node is not None and node.final:
            return node
        if node is None:
            kind = _kind(template)
            node = self.add(kind, name, display_name, template.name, boundary=boundary, hooked=hooked)
            node.inputs = dict(inputs or {})
            node.artifacts = [item.model_dump(by_alias=True, exclude_none=True) for item in template.inputs.artifacts]
            if kind == "Pod" and not self.forbids(name):
                self.start.append(node)
        if node.type == "Pod" and self.forbids(name):
            self.end(node, "Failed", STOPPED.format(self.run.shutdown))
            return node
        if template.dag:
            if self._has_place(node, template):
                dag.carry_on(self, node, template)
        elif template.retry_strategy and node.type == "Retry":
            retry.carry_on(self, node, template)
        elif node.type not in ("Pod", _kind(template)):  # nothing would ever carry it on
            self.end(node, "Error", f"the stored node is a {node.type}, which its template {template.name} is not")
        return node

    def _has_place(self, node: Node, template: Template) -> bool:
        """Whether the DAG needs no semaphore, or has it; else its node says that it waits."""
        run = self.run
        if template.synchronization is None or (run.lock is not None and run.lock.held is not None):
            return True
        if self.forbids(node.name):
            self.end(node, "Failed", STOPPED.format(run.shutdown))
            return False
        reference = template.synchronization.semaphores[0].config_map_key_ref
        key = f"{run.namespace}/ConfigMap/{reference.name}/{reference.key}"
        lock = run.lock = run.lock or Lock(key, node.id)
        limit = self.locks.limit(key)
        if limit is None:
            self.end(node, "Error", f"failed to get the limit of semaphore {key}: it is not defined")
            return False
        if self.locks.acquire(key, run):
            lock.held, node.waiting, node.message = True, "", ""
            return True  # a node that has waited stays Pending until its end, as recorded
        holders = self.locks.holders(key)
        free = max(0, limit - len(holders))
        node.phase, node.waiting, lock.blockers = "Pending", key, holders[:1]
        node.message = f"Waiting for {key} lock. Lock status: {free}/{limit}"
        return False

    # -- the end

    def _finish(self, root: Node) -> None:
        run = self.run
        phase, message = root.phase, root.message
        if run.spec.on_exit and run.shutdown != "Terminate":
            hook = self.execute(run.spec.template(run.spec.on_exit), run.exit_name, run.exit_name, hooked=True)
            if not hook.final:
                return
            if phase == "Succeeded" and hook.phase != "Succeeded":
                phase, message = hook.phase, hook.message
        elif run.spec.on_exit:
            for node in run.nodes.values():  # their DAG stays Running for ever, as recorded
                if node.type == "Retry" and not node.final:
                    self.end(node, "Failed", STOPPED.format(run.shutdown))
        if phase in ("Omitted", "Skipped"):
            phase = "Succeeded"
        if run.shutdown and phase != "Succeeded":
            message = STOPPED.format(run.shutdown)
        run.phase, run.message, run.finished_at = phase, message, self.now
        gc = run.spec.volume_claim_gc.strategy
        if gc == "OnWorkflowCompletion" or phase == "Succeeded":
            run.claims = {}
