"""Facts about where environments' pods run. Of Secrets only their type leaves this module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from provider_api.doctor.checks.environments import some_templates
from provider_api.doctor.checks.threads import in_thread
from provider_api.doctor.cluster import Cluster
from provider_api.doctor.judging import placement as judging
from provider_api.doctor.lines import Item, Line
from provider_api.doctor.refusals import Forbidden
from provider_api.doctor.run import Check
from provider_api.doctor.surroundings import Surroundings

_NOTHING = "no environment names one"


async def _runtime_classes(around: Surroundings) -> Sequence[Line]:
    read = around.require_cluster().runtime_class
    named = judging.users(await some_templates(around), judging.runtime_classes)
    return await _classes(judging.RUNTIME_CLASS, named, read)


async def _priority_classes(around: Surroundings) -> Sequence[Line]:
    read = around.require_cluster().priority_class
    named = judging.users(await some_templates(around), judging.priority_classes)
    return await _classes(judging.PRIORITY_CLASS, named, read)


async def _classes(
    item: Item, named: Mapping[str, Sequence[str]], read: Callable[[str], Mapping[str, Any] | None]
) -> Sequence[Line]:
    """`named`: with the environments that name it."""
    lines = []
    for name, environments in named.items():
        exists = await in_thread(read, name) is not None
        lines.append(judging.judge_class(item, name, environments, exists=exists))
    return lines or [item.ok(_NOTHING)]


async def _pull_secrets(around: Surroundings) -> Sequence[Line]:
    cluster, named = around.require_cluster(), judging.users(await some_templates(around), judging.pull_secrets)
    lines = []
    for name, environments in named.items():
        secret = await in_thread(cluster.secret, around.jobs, name)
        kind = None if secret is None else str(secret.get("type") or "")
        lines.append(judging.judge_pull_secret(name, environments, kind))
    return lines or [judging.PULL_SECRETS.ok(_NOTHING)]


async def _queues(around: Surroundings) -> Sequence[Line]:
    cluster, named = around.require_cluster(), judging.users(await some_templates(around), judging.queues)
    if not named:
        return [judging.QUEUE.ok(_NOTHING)]
    version = await in_thread(cluster.queue_version)
    lines = []
    for name, environments in named.items():
        queue = await in_thread(cluster.local_queue, version, around.jobs, name) if version else None
        lines.append(judging.judge_queue(name, environments, queue, installed=version is not None))
    return lines


async def _nodes(around: Surroundings) -> Sequence[Line]:
    cluster, templates = around.require_cluster(), await some_templates(around)
    nodes = await in_thread(cluster.nodes)
    grows = await in_thread(_grows, cluster)
    named = judging.users(templates, judging.runtime_classes)
    found = {name: await in_thread(cluster.runtime_class, name) for name in named}
    return [
        judging.judge_nodes(
            template,
            nodes,
            [runtime for name in judging.runtime_classes(template) if (runtime := found[name]) is not None],
            grows=grows,
        )
        for template in templates
    ]


def _grows(cluster: Cluster) -> bool:
    try:
        return cluster.has_autoscaler()
    except Forbidden:
        return False  # a line may be a failure then, not a warning


CHECKS = (
    Check((judging.NODES,), _nodes),
    Check((judging.RUNTIME_CLASS,), _runtime_classes),
    Check((judging.PRIORITY_CLASS,), _priority_classes),
    Check((judging.PULL_SECRETS,), _pull_secrets),
    Check((judging.QUEUE,), _queues),
)
