"""Settings of Argo's controller that this service depends on: its ConfigMap, and one variable of its Deployment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from provider_api.doctor.lines import Item, Line, listed

CONFIG: Final = Item(
    "controller-config",
    "the controller's ConfigMap",
    "there, readable, in one form",
    "apply the component with Argo's settings; one YAML text per key, or one key `config`, never both",
)
REFERENCING: Final = Item(
    "template-referencing",
    "the controller's workflowRestrictions.templateReferencing",
    "Strict",
    "set templateReferencing: Strict; without it the API's token can start workflows of its own making",
)
CONTEXT: Final = Item(
    "executor-context",
    "the controller's executor.securityContext",
    "runAsNonRoot, no privilege escalation, no capabilities, seccomp RuntimeDefault",
    "set executor.securityContext; Argo's own containers are refused by Pod Security `restricted` without it",
)
RESOURCES: Final = Item(
    "executor-resources",
    "the controller's executor.resources",
    "requests and limits of cpu and memory",
    "set executor.resources; with a ResourceQuota no pod of a job starts without them",
)
ARCHIVE_LOGS: Final = Item(
    "archive-logs",
    "the controller's artifactRepository.archiveLogs",
    "not true",
    "remove it: it cannot be switched off for one template, and the algorithm's pod cannot reach the store",
)
REQUEUE: Final = Item(
    "requeue-time",
    "DEFAULT_REQUEUE_TIME of the controller",
    "2s or less",
    "set DEFAULT_REQUEUE_TIME=1s in the environment of the controller; at 10s each step takes longer",
)

_SLOWEST_SECONDS = 2.0
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

_PART = r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)"

Config = Mapping[str, Any]


class ConfigBroken(ValueError):
    """The ConfigMap cannot be what the controller reads. The text says why."""


def read_config(config_map: Mapping[str, Any] | None) -> Config:
    """What the controller takes from its ConfigMap. Raises ConfigBroken."""
    if config_map is None:
        raise ConfigBroken("there is none")
    data = config_map.get("data") or {}
    if "config" in data and len(data) > 1:
        raise ConfigBroken("both the key `config` and other keys")
    try:
        if "config" in data:
            found = yaml.safe_load(data["config"]) or {}
        else:
            found = {key: yaml.safe_load(text) for key, text in data.items()}
    except yaml.YAMLError:
        raise ConfigBroken("a value is not YAML") from None
    if not isinstance(found, dict):
        raise ConfigBroken("not a mapping")
    return found


def judge_referencing(config: Config) -> Line:
    value = _mapping(config, "workflowRestrictions").get("templateReferencing")
    match value:
        case "Strict":
            return REFERENCING.ok("Strict")
        case "Secure":
            return REFERENCING.warning("Secure", mend="Secure also ends running jobs when their template changes")
        case _:
            return REFERENCING.failure(str(value) if value else "not set")


def judge_context(config: Config) -> Line:
    context = _mapping(config, "executor", "securityContext")
    if not context:
        return CONTEXT.failure("not set")
    dropped = _mapping(context, "capabilities").get("drop") or ()
    wanted = {
        "runAsNonRoot: true": context.get("runAsNonRoot") is True,
        "allowPrivilegeEscalation: false": context.get("allowPrivilegeEscalation") is False,
        "capabilities.drop: [ALL]": "ALL" in dropped,
        "seccompProfile.type: RuntimeDefault": _mapping(context, "seccompProfile").get("type")
        in ("RuntimeDefault", "Localhost"),
    }
    missing = [name for name, right in wanted.items() if not right]
    return CONTEXT.failure(f"missing: {listed(missing)}") if missing else CONTEXT.ok("as restricted pods need it")


def judge_resources(config: Config, *, quota: bool) -> Line:
    """`quota`: whether the jobs' namespace has a ResourceQuota, which refuses pods without."""
    resources = _mapping(config, "executor", "resources")
    wanted = [(kind, name) for kind in ("requests", "limits") for name in ("cpu", "memory")]
    missing = [f"{kind}.{name}" for kind, name in wanted if name not in _mapping(resources, kind)]
    if not missing:
        return RESOURCES.ok("set")
    found = f"missing: {listed(missing)}" if resources else "not set"
    return RESOURCES.failure(f"{found}; the namespace has a quota") if quota else RESOURCES.warning(found)


def judge_archive_logs(config: Config) -> Line:
    value = _mapping(config, "artifactRepository").get("archiveLogs")
    return ARCHIVE_LOGS.failure("true") if value is True else ARCHIVE_LOGS.ok("not set" if value is None else "false")


def judge_requeue(deployment: Mapping[str, Any] | None) -> Line:
    """`deployment`: the controller's; None: not there."""
    if deployment is None:
        return REQUEUE.failure("there is no such Deployment", mend="install Argo's controller, or name its namespace")
    values = [
        str(variable.get("value") or "")
        for container in _containers(deployment)
        for variable in container.get("env") or ()
        if variable.get("name") == "DEFAULT_REQUEUE_TIME"
    ]
    if not values:
        return REQUEUE.warning("not set, so 10s")
    seconds = duration_seconds(values[0])
    if seconds is None:
        return REQUEUE.failure("not a duration", mend="write a number with its unit: 1s")
    return REQUEUE.ok(values[0]) if seconds <= _SLOWEST_SECONDS else REQUEUE.warning(values[0])


def image_of(deployment: Mapping[str, Any] | None) -> str | None:
    """The image of the controller, "" where the Deployment names none; None: there is no Deployment."""
    if deployment is None:
        return None
    return str(next((container.get("image") for container in _containers(deployment)), None) or "")


def _containers(deployment: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return list(_mapping(deployment, "spec", "template", "spec").get("containers") or ())


def duration_seconds(text: str) -> float | None:
    """A Go duration, `1m30s`; None if it is none."""
    parts = re.findall(_PART, text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """What lies under a path; empty where there is nothing, or something else."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
