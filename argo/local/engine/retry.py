"""Tasks that are tried again: a Retry node with the task's name, its attempts `task(0)`, `task(1)`, … below it."""

from __future__ import annotations

from typing import Any

from argo.local.engine.node import Node
from argo.local.engine.step import Step
from argo.local.spec import expressions, quantities
from argo.local.spec.model import RetryStrategy, Template

SPENT = "No more retries left"
REFUSED = "retryStrategy.expression evaluated to false"
TOO_LONG = "Max duration limit exceeded"


def carry_on(step: Step, node: Node, template: Template) -> None:
    """Start the first attempt, or the next one when the last has failed and may be repeated; or end the node."""
    strategy = template.retry_strategy
    assert strategy is not None  # noqa: S101  (the caller looked)
    attempts = [step.run.nodes[key] for key in node.children]
    if not attempts:
        if step.forbids(node.name):
            _stopped(step, node)
        else:
            _attempt(step, node, template, 0)
        return
    last = attempts[-1]
    if not last.final:
        return
    node.outputs, node.exit_code, node.resources = last.outputs, last.exit_code, last.resources
    if last.phase == "Succeeded":
        step.end(node, "Succeeded")
    elif step.run.shutdown:  # a stop forbids further attempts in exit handlers as well
        step.end(node, last.phase, _stop_text(step))
    elif (reason := _why_not_again(step, strategy, attempts)) is not None:
        step.end(node, last.phase, reason)
    else:
        due = (last.finished_at or step.now) + _pause(strategy, len(attempts))
        if due > step.now:
            step.wake(due)
        else:
            _attempt(step, node, template, len(attempts))


def _stopped(step: Step, node: Node) -> None:
    step.end(node, "Failed", _stop_text(step))


def _stop_text(step: Step) -> str:
    return f"Stopped with strategy '{step.run.shutdown}'"


def _attempt(step: Step, node: Node, template: Template, number: int) -> None:
    name = f"({number})"
    made = step.add("Pod", node.name + name, node.display_name + name, template.name, boundary=node.boundary)
    made.flag, made.inputs, made.artifacts = {"retried": True}, node.inputs, node.artifacts
    node.children.append(made.id)
    step.start.append(made)


def _why_not_again(step: Step, strategy: RetryStrategy, attempts: list[Node]) -> str | None:
    last = attempts[-1]
    policy = strategy.retry_policy or ("Always" if strategy.expression else "OnFailure")
    if (policy, last.phase) in (("OnFailure", "Error"), ("OnError", "Failed")):
        return last.message
    backoff = strategy.backoff
    if backoff and backoff.max_duration is not None:
        due = (last.finished_at or step.now) + _pause(strategy, len(attempts))
        if max(due, step.now) > attempts[0].started_at + quantities.seconds(backoff.max_duration):
            return TOO_LONG
    if strategy.limit is not None and len(attempts) > int(strategy.limit):
        return SPENT
    if not strategy.expression:
        return None
    values: dict[str, Any] = {
        "lastRetry.exitCode": "-1" if last.exit_code is None else str(last.exit_code),
        "lastRetry.status": last.phase,
        "lastRetry.message": last.message,
    }
    return None if expressions.parse(strategy.expression).evaluate(values.__getitem__) else REFUSED


def _pause(strategy: RetryStrategy, attempts: int) -> float:
    """Seconds between the end of the last attempt and the next one: duration * factor^(attempts - 1)."""
    if strategy.backoff is None:
        return 0.0
    pause: float = quantities.seconds(strategy.backoff.duration) * int(strategy.backoff.factor) ** (attempts - 1)
    return pause
