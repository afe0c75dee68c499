"""Reading a WorkflowTemplate strictly: shape, references, tags and expressions, before anything runs.

Whatever this server does not do is named in the error, with its path in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from argo.local.spec import expressions, quantities
from argo.local.spec.model import ELSEWHERE, Container, DagTask, PodMetadata, Spec, Template, Volume
from argo.local.spec.substitution import tags
from contract.names import QUEUE
from ocean.kit.digits import is_digits

RESULTS: Final = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted")
_RETRY_NAMES: Final = {"lastRetry.exitCode", "lastRetry.status", "lastRetry.message"}
_RESOURCES: Final = {"cpu", "memory", "ephemeral-storage"}
_WORKFLOW_TAGS: Final = {"workflow.name", "workflow.namespace", "workflow.uid", "workflow.status"}
MAX_GRACE_SECONDS: Final = 300


class TemplateInvalid(ValueError):
    """What is wrong with a template, one line each."""

    def __init__(self, name: str, problems: Iterable[str]) -> None:
        self.name, self.problems = name, tuple(problems)
        super().__init__(f"workflow template {name}: " + "; ".join(self.problems))


class PodPatch(BaseModel):
    """The part of a pod spec that `podSpecPatch` may set."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)
    termination_grace_period_seconds: int = Field(default=30, ge=0, le=MAX_GRACE_SECONDS)
    enable_service_links: bool | None = None


def problems_of(error: ValidationError, root: str = "spec") -> list[str]:
    """pydantic's findings as paths in the manifest."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        path = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"])
        refused = item["type"] in ("extra_forbidden", "literal_error")
        last = str(item["loc"][-1]) if item["loc"] else ""
        found.append(_unsupported(path, last) if refused else f"{path}: {item['msg']}")
    return found


def _unsupported(path: str, field: str) -> str:
    reason = ELSEWHERE.get(field)
    return f"{path} is not supported by this server" + (f": {reason}" if reason else "")


def read_spec(name: str, document: Mapping[str, Any]) -> Spec:
    """The checked `spec` of a template document. Raises TemplateInvalid."""
    try:
        spec = Spec.model_validate(document)
    except ValidationError as exc:
        raise TemplateInvalid(name, problems_of(exc)) from exc
    if problems := list(_problems(spec)):
        raise TemplateInvalid(name, problems)
    return spec


def pod_patch(text: str | None) -> PodPatch:
    """Raises ValueError (also pydantic's ValidationError, yaml's error)."""
    return PodPatch.model_validate(yaml.safe_load(text) if text else {})


def scratch_bytes(container: Container, volumes: Iterable[Volume]) -> int:
    """How much may be written to the container's own root; 0: it is read-only, or nothing is left for it.

    As on a node, the limit of ephemeral-storage is for that and the pod's emptyDirs (`volumes`), which have sizes of
    their own here. Raises ValueError.
    """
    context = container.security_context
    if context is None or context.read_only_root_filesystem is not False:
        return 0
    limit = quantities.quantity(container.resources.limits.get("ephemeral-storage", 0))
    sizes = (volume.empty_dir.size_limit or 0 for volume in volumes if volume.empty_dir is not None)
    return max(0, int(limit - sum(map(quantities.quantity, sizes))))


def task_order(tasks: tuple[DagTask, ...]) -> tuple[DagTask, ...]:
    """Tasks so that each stands after those it depends on. Raises ValueError on a circle."""
    waiting, done, ordered = list(tasks), set[str](), list[DagTask]()
    while waiting:
        ready = [task for task in waiting if dependencies(task) <= done]
        if not ready:
            raise ValueError("the tasks depend on each other in a circle")
        ordered += ready
        done |= {task.name for task in ready}
        waiting = [task for task in waiting if task.name not in done]
    return tuple(ordered)


def dependencies(task: DagTask) -> set[str]:
    """Names of the tasks that `depends` mentions. Raises ExpressionInvalid."""
    if not task.depends:
        return set()
    return {name.split(".")[0] for name in expressions.parse(task.depends).names()}


def _problems(spec: Spec) -> Iterable[str]:
    names = [template.name for template in spec.templates]
    yield from (f"spec.templates: {name} is there twice" for name in {n for n in names if names.count(n) > 1})
    for field, wanted in (("entrypoint", spec.entrypoint), ("onExit", spec.on_exit)):
        if wanted is not None and wanted not in names:
            yield f"spec.{field}: template {wanted} is not defined"
        elif wanted is not None and spec.template(wanted).dag is None:
            yield f"spec.{field}: a template without dag is not supported by this server"
    yield from _patch_problems("spec.podSpecPatch", spec.pod_spec_patch)
    yield from _queue_problems("spec.podMetadata", spec.pod_metadata)
    if spec.pod_gc:
        yield from _number_problems("spec.podGC.deleteDelayDuration", spec.pod_gc.delete_delay_duration)
    known = {f"workflow.parameters.{parameter.name}" for parameter in spec.arguments.parameters} | _WORKFLOW_TAGS
    for parameter in spec.arguments.parameters:
        if parameter.enum:
            yield f"spec.arguments.{parameter.name}.enum is not supported by this server"
    unsubstituted = spec.model_dump(by_alias=True, exclude={"templates"})
    yield from (f"spec: {{{{{tag}}}}} is not supported by this server here" for tag in tags(unsubstituted))
    yield from _nesting_problems(spec)
    for index, template in enumerate(spec.templates):
        path = f"spec.templates[{index}]"
        if sum(part is not None for part in (template.dag, template.container, template.suspend)) != 1:
            yield f"{path} needs either dag or container or suspend"
        elif template.dag is not None:
            outputs = {each.name: [item.name for item in each.outputs.parameters] for each in spec.templates}
            yield from _dag_problems(path, template, outputs, known)
        elif template.suspend is not None:
            if template != Template(name=template.name, suspend=template.suspend):
                yield f"{path}: nothing but a name is supported by this server beside suspend"
        else:
            yield from _pod_problems(path, template, spec, known)


def _nesting_problems(spec: Spec) -> Iterable[str]:
    """A workflow is one walk through DAGs that end, and takes at most one place in it."""
    if sum(template.synchronization is not None for template in spec.templates) > 1:
        yield "spec.templates: synchronization is supported by this server in one template only"
    inside = {each.name: [task.template for task in each.dag.tasks] if each.dag else [] for each in spec.templates}
    places = {each.name: int(each.synchronization is not None) for each in spec.templates}
    try:
        for name in TopologicalSorter(inside).static_order():
            places[name] = places.get(name, 0) + sum(places[task] for task in inside.get(name, ()))
    except CycleError as exc:
        yield f"spec.templates: DAGs contain each other in a circle: {', '.join(exc.args[1])}"
        return
    for index, template in enumerate(spec.templates):
        if places[template.name] > 1:
            yield f"spec.templates[{index}]: the DAG with synchronization is supported by this server in one task only"
    if spec.on_exit and places.get(spec.on_exit):
        yield "spec.onExit: synchronization is not supported by this server in an exit handler"


def _dag_problems(path: str, template: Template, outputs: Mapping[str, list[str]], known: set[str]) -> Iterable[str]:
    """`outputs`: the output parameters of each template."""
    dag = template.dag
    assert dag is not None  # noqa: S101  (the caller looked)
    set_fields = template.model_fields_set - {"name", "dag", "synchronization", "inputs", "outputs", "metadata"}
    if set_fields or template.inputs.parameters or template.inputs.artifacts or template.outputs.parameters:
        yield f"{path}: only tasks and synchronization are supported by this server in a dag"
    yield from _unknown_tags(path, template.model_dump(exclude={"dag"}), set())
    tasks = [task.name for task in dag.tasks]
    yield from (f"{path}: task {name} is there twice" for name in {n for n in tasks if tasks.count(n) > 1})
    for index, task in enumerate(dag.tasks):
        here = f"{path}.dag.tasks[{index}]"
        if task.template not in outputs:
            yield f"{here}: template {task.template} is not defined"
        try:
            needed = list(expressions.parse(task.depends).names()) if task.depends else []
            if task.when:
                expressions.parse(task.when if "{{" not in task.when else "true")
        except expressions.ExpressionInvalid as exc:
            yield f"{here}: {exc}"
            continue
        for name in needed:
            other, _, result = name.partition(".")
            if other not in tasks or (result and result not in RESULTS):
                yield f"{here}.depends: {name} is not known"
        before = {name.partition(".")[0] for name in needed}
        inside = known | {f"tasks.{name}.status" for name in before}
        inside |= {
            f"tasks.{other.name}.outputs.parameters.{each}"
            for other in dag.tasks
            if other.name in before
            for each in outputs.get(other.template, ())
        }
        yield from _unknown_tags(here, task.model_dump(), inside)
    try:
        task_order(dag.tasks)
    except ValueError as exc:
        yield f"{path}: {exc}"


def _pod_problems(path: str, template: Template, spec: Spec, known: set[str]) -> Iterable[str]:
    container = template.container
    assert container is not None  # noqa: S101  (the caller looked)
    if template.synchronization:
        yield f"{path}.synchronization is supported by this server on a dag only"
    if template.security_context and template.security_context.run_as_user is None:
        yield _unsupported(f"{path}.securityContext without runAsUser", "securityContext")
    volumes = {volume.name: volume for volume in (*spec.volumes, *template.volumes)}
    mountable = volumes.keys() | {claim.metadata.get("name", "") for claim in spec.volume_claim_templates}
    for each in (container, *template.init_containers):
        for mount in each.volume_mounts:
            if mount.name not in mountable:
                yield f"{path}: volume {mount.name} is not defined"
            if not mount.mount_path.startswith("/") or ".." in mount.sub_path.split("/"):
                yield f"{path}: the mount of volume {mount.name} is not allowed"
        yield from _root_problems(path, each, volumes.values())
        for amounts in (each.resources.requests, each.resources.limits):
            for what, amount in amounts.items():
                if what not in _RESOURCES:
                    yield f"{path}.container.resources: {what} is not supported by this server"
                yield from _number_problems(f"{path}.container.resources.{what}", amount, quantity=True)
    yield from _patch_problems(f"{path}.podSpecPatch", template.pod_spec_patch)
    yield from _queue_problems(f"{path}.metadata", template.metadata)
    if template.pending_timeout is not None:
        yield from _number_problems(f"{path}.pendingTimeout", template.pending_timeout)
    if strategy := template.retry_strategy:
        yield from _retry_problems(f"{path}.retryStrategy", template)
        if strategy.limit is not None and not is_digits(str(strategy.limit)):
            yield f"{path}.retryStrategy.limit: not a number"
    inside = known | {f"inputs.parameters.{parameter.name}" for parameter in template.inputs.parameters}
    for parameter in template.inputs.parameters:
        if parameter.enum:
            yield f"{path}.inputs.parameters.{parameter.name}.enum is not supported by this server"
    yield from _unknown_tags(path, template.model_dump(), inside | {"pod.name", "node.name"})


def _root_problems(path: str, container: Container, volumes: Iterable[Volume]) -> Iterable[str]:
    context = container.security_context
    if context is None or context.read_only_root_filesystem is not False:
        return
    try:
        if not scratch_bytes(container, volumes):
            yield (
                f"{path}: a writable root needs a limit of ephemeral-storage on this server,"
                " larger than the sizes of the pod's emptyDirs together"
            )
    except ValueError as exc:
        yield f"{path}: {exc}"


def _retry_problems(path: str, template: Template) -> Iterable[str]:
    strategy = template.retry_strategy
    if strategy and strategy.expression:
        try:
            unknown = set(expressions.parse(strategy.expression).names()) - _RETRY_NAMES
            yield from (f"{path}.expression: {name} is not supported by this server" for name in sorted(unknown))
        except expressions.ExpressionInvalid as exc:
            yield f"{path}.expression: {exc}"
    if strategy and strategy.backoff:
        yield from _number_problems(f"{path}.backoff.duration", strategy.backoff.duration)
        if not is_digits(str(strategy.backoff.factor)):
            yield f"{path}.backoff.factor: not a number"
        if strategy.backoff.max_duration is not None:
            yield from _number_problems(f"{path}.backoff.maxDuration", strategy.backoff.max_duration)


def _patch_problems(path: str, text: str | None) -> Iterable[str]:
    try:
        pod_patch(text)
    except ValidationError as exc:
        yield from problems_of(exc, path)
    except (ValueError, yaml.YAMLError):
        yield f"{path}: not a JSON or YAML object"


def _queue_problems(path: str, metadata: PodMetadata) -> Iterable[str]:
    if QUEUE in metadata.labels:
        yield _unsupported(f"{path}.labels.{QUEUE}", QUEUE)


def _number_problems(path: str, text: str | int, *, quantity: bool = False) -> Iterable[str]:
    try:
        quantities.quantity(text) if quantity else quantities.seconds(text)
    except ValueError as exc:
        yield f"{path}: {exc}"


def _unknown_tags(path: str, value: Any, known: set[str]) -> Iterable[str]:
    yield from (f"{path}: {{{{{tag}}}}} is not supported by this server" for tag in tags(value) if tag not in known)
