"""DAG templates: which task may start, which is omitted, and what the DAG has come to.

As in Argo, the DAG's phase is that of its last tasks only; an omitted last task inherits the phase of its branch.
A failed branch does not end the DAG before the others have ended (Argo's `failFast` would, which shows only where
branches run side by side).
"""

from __future__ import annotations

from typing import Any

from argo.local.engine.node import Node
from argo.local.engine.state import Run
from argo.local.engine.step import Step
from argo.local.spec import expressions
from argo.local.spec.check import RESULTS, dependencies, task_order
from argo.local.spec.model import DagTask, Template
from argo.local.spec.substitution import UnknownTag, substitute

OMITTED = "omitted: depends condition not met"
_RESULTS = {name: name for name in RESULTS} | {"Errored": "Error"}  # words of `depends`: phases


def carry_on(step: Step, node: Node, template: Template) -> None:
    """Start what may start; end the DAG when all its tasks have ended."""
    assert template.dag is not None  # noqa: S101  (the caller looked)
    tasks = task_order(template.dag.tasks)
    run = step.run
    for task in tasks:
        before = [run.node(_name(node, other)) for other in sorted(dependencies(task))]
        ended = [other for other in before if other is not None and other.final]
        if len(ended) < len(before):
            continue
        known = run.node(_name(node, task.name))
        if known is None and not _condition(step, node, task):
            made = _skipped(step, node, task, "Omitted", OMITTED)
        else:
            made = _execute(step, node, task)
        if known is None:
            _link(run, node, ended, made)
    every = [run.node(_name(node, task.name)) for task in tasks]
    nodes = {task.name: found for task, found in zip(tasks, every, strict=True) if found is not None and found.final}
    if len(nodes) == len(tasks):
        _end(step, node, tasks, nodes)


def outbound(run: Run, node: Node) -> list[str]:
    """Where a node's followers hang: itself, a retried task's last attempt, a DAG's ends."""
    if node.type == "Retry" and node.children:
        return outbound(run, run.nodes[node.children[-1]])
    return [*node.outbound] if node.type == "DAG" else [node.id]


def _name(node: Node, task: str) -> str:
    return f"{node.name}.{task}"


def _execute(step: Step, node: Node, task: DagTask) -> Node:
    scope = step.run.scope() | {
        f"tasks.{other}.status": found.phase
        for other in dependencies(task)
        if (found := step.run.node(_name(node, other))) is not None
    }
    for other in dependencies(task):
        found = step.run.node(_name(node, other))
        outputs = found.outputs if found is not None else []
        scope |= {f"tasks.{other}.outputs.parameters.{each['name']}": str(each["value"]) for each in outputs}
    try:
        inputs = {item.name: substitute(item.text() or "", scope) for item in task.arguments.parameters}
        wanted = not task.when or bool(_evaluate_when(task.when, scope))
    except (UnknownTag, expressions.ExpressionInvalid) as exc:
        return _skipped(step, node, task, "Error", str(exc))
    if not wanted and step.run.node(_name(node, task.name)) is None:
        return _skipped(step, node, task, "Skipped", f"when '{substitute(task.when, scope)}' evaluated false")
    template = step.run.spec.template(task.template)
    declared = {item.name: item.text() for item in template.inputs.parameters}
    given = {name: inputs.get(name, default) for name, default in declared.items()}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        return _skipped(step, node, task, "Error", f"inputs.parameters.{missing[0]} was not supplied")
    values = {name: value for name, value in given.items() if value is not None}
    return step.execute(template, _name(node, task.name), task.name, boundary=node.id, inputs=values)


def _evaluate_when(text: str, scope: dict[str, str]) -> Any:
    literals = {"true": True, "false": False}  # any other bare word is text, as in Argo
    return expressions.parse(substitute(text, scope)).evaluate(lambda name: literals.get(name, name))


def _condition(step: Step, node: Node, task: DagTask) -> bool:
    if not task.depends:
        return True

    def result(name: str) -> bool:
        other, _, wanted = name.partition(".")
        found = step.run.node(_name(node, other))
        phase = found.phase if found else ""
        return phase == _RESULTS[wanted] if wanted else phase in ("Succeeded", "Skipped")

    return bool(expressions.parse(task.depends).evaluate(result))


def _skipped(step: Step, node: Node, task: DagTask, phase: str, message: str) -> Node:
    made = step.add("Skipped", _name(node, task.name), task.name, task.template, boundary=node.id)
    made.flag = {}
    step.end(made, phase, message)
    return made


def _link(run: Run, node: Node, before: list[Node], made: Node) -> None:
    parents = [run.nodes[key] for other in before for key in outbound(run, other)] or [node]
    for parent in parents:
        if made.id not in parent.children:
            parent.children.append(made.id)


def _end(step: Step, node: Node, tasks: tuple[DagTask, ...], nodes: dict[str, Node]) -> None:
    branch: dict[str, str] = {}
    for task in tasks:
        inherited = [branch[other] for other in dependencies(task)]
        bad = next((phase for phase in inherited if phase in ("Failed", "Error")), None)
        phase = nodes[task.name].phase
        branch[task.name] = phase if phase in ("Succeeded", "Failed", "Error") else bad or "Succeeded"
    last = [task.name for task in tasks if not any(task.name in dependencies(other) for other in tasks)]
    bad = next((branch[name] for name in last if branch[name] in ("Failed", "Error")), None)
    node.outbound = [key for name in last for key in outbound(step.run, nodes[name])]
    node.resources = {"cpu": 0, "memory": 0}
    step.end(node, bad or "Succeeded")
    node.resources = _sum(step.run, node)


def _sum(run: Run, node: Node) -> dict[str, int] | None:
    inside = [n for n in run.nodes.values() if n.type in ("Pod", "DAG") and n.boundary == node.id]
    found = [n.resources for n in inside if n.resources]
    return {what: sum(item[what] for item in found) for what in ("cpu", "memory")} if found else None
