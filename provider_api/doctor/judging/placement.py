"""Where an environment's pods run: what its template names must be in the cluster, and a node must fit them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import yaml

from argo.local.spec.quantities import quantity
from contract import names
from provider_api.doctor.lines import Item, Line, listed

Json = Mapping[str, Any]

RUNTIME_CLASS: Final = Item(
    "runtime-class",
    "the RuntimeClass of an environment's algorithms",
    "there",
    "install what it stands for on the nodes, and create it; or correct runtime_class of the environment",
)
PRIORITY_CLASS: Final = Item(
    "priority-class",
    "the PriorityClass of an environment's pods",
    "there",
    "create it, or correct priority_class of the environment; without it no pod of a job is made",
)
PULL_SECRETS: Final = Item(
    "image-pull-secrets",
    "Secrets with which nodes pull an environment's images",
    "there, of the type kubernetes.io/dockerconfigjson",
    "create it in the namespace of jobs (kubectl create secret docker-registry), or correct image_pull_secrets",
)
QUEUE: Final = Item(
    "queue",
    "the LocalQueue in which an environment's algorithms wait",
    "there, and active",
    "create it in the namespace of jobs, with a ClusterQueue that is active; or correct queue of the environment",
)
NODES: Final = Item(
    "nodes",
    "nodes for an environment's pods",
    "at least one with the labels, without other taints than those that are tolerated, and with what its pods ask for",
    "give a node the labels and what is missing, or correct node_selector, tolerations and amounts of the environment",
)

_PULL_TYPES: Final = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
_KEEPS_AWAY: Final = ("NoSchedule", "NoExecute")  # effects


# --- what templates name ---------------------------------------------------------------------------------------------


def users(templates: Iterable[Json], named: Callable[[Json], Iterable[str]]) -> dict[str, list[str]]:
    """What `named` finds in some template -> the environments that name it."""
    found: dict[str, list[str]] = {}
    for template in templates:
        for name in sorted(set(named(template))):
            found.setdefault(name, []).append(_name(template))
    return found


def runtime_classes(template: Json) -> Iterable[str]:
    """Of all its pods. Argo's templates have no field for it, so it stands in a patch."""
    for each in (template["spec"], *_steps(template)):
        if name := _patch(each.get("podSpecPatch")).get("runtimeClassName"):
            yield str(name)


def priority_classes(template: Json) -> Iterable[str]:
    named = (
        template["spec"].get("podPriorityClassName"),
        *(step.get("priorityClassName") for step in _steps(template)),
    )
    return (str(name) for name in named if name)


def pull_secrets(template: Json) -> Iterable[str]:
    return (str(each["name"]) for each in template["spec"].get("imagePullSecrets") or () if each.get("name"))


def queues(template: Json) -> Iterable[str]:
    metadata = (template["spec"].get("podMetadata"), *(step.get("metadata") for step in _steps(template)))
    labels = ((each or {}).get("labels") or {} for each in metadata)
    return (str(each[names.QUEUE]) for each in labels if each.get(names.QUEUE))


# --- whether it is there ---------------------------------------------------------------------------------------------


def judge_class(item: Item, name: str, environments: Iterable[str], *, exists: bool) -> Line:
    """A RuntimeClass or a PriorityClass."""
    subject = _subject(name, environments)
    return item.ok("there", subject) if exists else item.failure("there is no such class", subject)


def judge_pull_secret(name: str, environments: Iterable[str], kind: str | None) -> Line:
    """`kind`: the Secret's type; None: there is no such Secret."""
    subject = _subject(name, environments)
    if kind is None:
        return PULL_SECRETS.failure("missing", subject)
    if kind not in _PULL_TYPES:
        return PULL_SECRETS.failure(f"of the type {kind or 'Opaque'}, which nodes do not use", subject)
    return PULL_SECRETS.ok("there", subject)


def judge_queue(name: str, environments: Iterable[str], queue: Json | None, *, installed: bool) -> Line:
    """`queue`: the LocalQueue; None: there is none. `installed`: whether the cluster knows the kind."""
    subject = _subject(name, environments)
    if not installed:
        mend = "install Kueue with its integration of pods, or take queue out of the environment"
        return QUEUE.failure("Kueue is not installed, so its algorithms do not wait", subject, mend=mend)
    if queue is None:
        return QUEUE.failure("there is no such LocalQueue, so its algorithms wait for ever", subject)
    conditions = (queue.get("status") or {}).get("conditions") or ()
    stopped = [each for each in conditions if each.get("type") == "Active" and each.get("status") == "False"]
    if stopped:
        return QUEUE.failure(f"not active ({stopped[0].get('reason') or 'no reason is given'})", subject)
    return QUEUE.ok("there", subject)


# --- nodes -----------------------------------------------------------------------------------------------------------


def judge_nodes(template: Json, nodes: Sequence[Json], runtimes: Iterable[Json] = (), *, grows: bool = False) -> Line:
    """Whether some node could take each of its pods, were it empty.

    `runtimes`: its RuntimeClasses, which may ask for nodes of their own. `grows`: something in the cluster makes nodes
    when they are wanted, so that one that is missing is a warning.
    """
    spec, name = template["spec"], _name(template)
    scheduling = [runtime.get("scheduling") or {} for runtime in runtimes]
    labels = dict(spec.get("nodeSelector") or {})
    tolerations = list(spec.get("tolerations") or ())
    for each in (*scheduling, *_steps(template)):
        labels |= each.get("nodeSelector") or {}
        tolerations += each.get("tolerations") or ()

    labelled = [node for node in nodes if labels.items() <= (node["metadata"].get("labels") or {}).items()]
    refusing = {str(node["metadata"]["name"]): _refusing(node, tolerations) for node in labelled}
    open_ = [node for node in labelled if not refusing[str(node["metadata"]["name"])]]
    wanted = _amounts(template)
    fitting = [node for node in open_ if not _missing(wanted, node)]
    if fitting:
        return NODES.ok(f"{len(fitting)} of {len(nodes)} fit", name)
    if not labelled:
        found = f"none of {len(nodes)} has {listed(f'{key}={value}' for key, value in labels.items())}"
        found = found if labels else "there is none"
    elif not open_:
        taints = {taint for each in refusing.values() for taint in each}
        found = f"not tolerated on those with the labels: {listed(taints)}"
    else:
        missing = set.intersection(*(_missing(wanted, node) for node in open_)) or _missing(wanted, open_[0])
        found = f"none of {len(open_)} offers {listed(f'{key}: {wanted[key]}' for key in missing)}"
    if grows:
        mend = "see to it that the autoscaler has a group of such nodes; none runs now, which may be as it should"
        return NODES.warning(found, name, mend=mend)
    return NODES.failure(found, name)


def _refusing(node: Json, tolerations: Sequence[Json]) -> list[str]:
    """The node's taints that keep pods with these tolerations away."""
    spec = node.get("spec") or {}
    keeping = [taint for taint in spec.get("taints") or () if taint.get("effect") in _KEEPS_AWAY]
    return [_taint(taint) for taint in keeping if not any(_tolerates(each, taint) for each in tolerations)]


def _tolerates(toleration: Json, taint: Json) -> bool:
    """As Kubernetes' scheduler has it."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    exists = toleration.get("operator") == "Exists"
    if not toleration.get("key"):
        return exists
    same = toleration["key"] == taint.get("key")
    return same and (exists or (toleration.get("value") or "") == (taint.get("value") or ""))


def _taint(taint: Json) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def _amounts(template: Json) -> dict[str, str]:
    """The most that one of its containers asks for, of each resource. (Argo's own come on top, which are small.)"""
    found: dict[str, str] = {}
    for step in _steps(template):
        for container in (step.get("container") or {}, *(step.get("initContainers") or ())):
            resources = container.get("resources") or {}
            for key, amount in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
                if key not in found or not _covers(found[key], str(amount)):
                    found[key] = str(amount)
    return found


def _missing(wanted: Mapping[str, str], node: Json) -> set[str]:
    """Resources of which the node has less than is wanted."""
    offered = (node.get("status") or {}).get("allocatable") or {}
    return {key for key, amount in wanted.items() if not _covers(str(offered.get(key, 0)), amount)}


def _covers(offered: str, wanted: str) -> bool:
    """Also where one of the two is written as nobody here can read it: Kubernetes can."""
    try:
        return quantity(offered) >= quantity(wanted)
    except ValueError:
        return True


def _patch(text: Any) -> Json:
    """A podSpecPatch, JSON or YAML; empty where it is neither."""
    try:
        found = yaml.safe_load(text) if isinstance(text, str) else None
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _steps(template: Json) -> Sequence[Json]:
    return list(template["spec"].get("templates") or ())


def _subject(name: str, environments: Iterable[str]) -> str:
    return f"{name} ({listed(environments, most=3)})"


def _name(template: Json) -> str:
    return str(template["metadata"]["name"])
