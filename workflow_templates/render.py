"""Environment descriptions to manifests: the files under argo/gitops/base that nobody edits.

Pure until `write`: no network, no settings, the same descriptions always give the same bytes. The rendered files are
committed beside the programs that make them, and `check` tells whether the two still belong together.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from contract import names
from contract.argo_releases import NEWEST, ArgoRelease
from workflow_templates.environment import FOLDER, Environment, read_environments
from workflow_templates.plain_yaml import plain_yaml
from workflow_templates.quota import quota

GITOPS: Final = Path(__file__).parent.parent / "argo" / "gitops"

_BASE: Final = "base"
_LIMITS: Final = f"{_BASE}/limits.yaml"
_HEADER: Final = "# Rendered by `c2d admin templates render` from {source}. Do not edit.\n"
_SOURCE: Final = "workflow_templates/environments"
_PROGRAM: Final = "workflow_templates/render.py"

# Of the volume that results lie on, where they lie on one. A deployment patches it to what it has.
RESULTS_GIB: Final = 50
# What the project itself has rendered: descriptions -> where to. The production overlay has environments of its own.
_EXAMPLE: Final = GITOPS / "overlays" / "production"
OURS: Final = ((FOLDER, GITOPS), (_EXAMPLE / "environments", _EXAMPLE / "rendered"))


def render(
    environments: Iterable[Environment], argo: ArgoRelease = NEWEST, retired: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All files: path relative to argo/gitops -> content. Raises ValueError for two environments of one id.

    `retired`: limits of environments that are described no more, kept for jobs that have not ended.
    """
    made = manifests(environments, argo)
    made[_LIMITS]["data"] = {**(retired or {}), **made[_LIMITS]["data"]}
    files = {path: _document(_source(path), manifest) for path, manifest in made.items()}
    files[f"{_BASE}/kustomization.yaml"] = _document(_PROGRAM, _kustomization(files))
    return dict(sorted(files.items()))


def manifests(environments: Iterable[Environment], argo: ArgoRelease = NEWEST) -> dict[str, dict[str, Any]]:
    """The environments, whichever way they are delivered: path relative to argo/gitops -> object.

    Raises ValueError for two environments of one id, and for none.
    """
    from workflow_templates.template import workflow_template  # Hera takes a second to import; `check` may not need it

    environments = sorted(environments, key=lambda environment: environment.id)
    if not environments:
        raise ValueError("there are no environments to render; what was deployed would be removed")
    ids = [environment.id for environment in environments]
    if len(set(ids)) != len(ids):
        raise ValueError(f"two environments share an id: {', '.join(ids)}")
    found = {f"{_BASE}/environments/{e.id}.yaml": workflow_template(e, argo) for e in environments}
    found[_LIMITS] = limits(environments)
    on_volume = any(environment.results == "shared-volume" for environment in environments)
    if on_volume:
        found[f"{_BASE}/results.yaml"] = results_claim()
    found[f"{_BASE}/quota.yaml"] = quota(environments, RESULTS_GIB if on_volume else 0)
    return found


def limits(environments: Iterable[Environment]) -> dict[str, Any]:
    """The ConfigMap of the semaphores: how many jobs of each environment run at once."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.LIMITS_CONFIG_MAP},
        "data": {environment.id: str(environment.max_jobs) for environment in environments},
    }


def results_claim() -> dict[str, Any]:
    """The claim for results on a shared volume; written by publishing pods, read by the service."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": names.RESULTS_CLAIM},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": f"{RESULTS_GIB}Gi"}}},
    }


def write(
    folder: Path = GITOPS, environments: Iterable[Environment] | None = None, argo: ArgoRelease = NEWEST
) -> list[str]:
    """Write what differs and remove environments that no longer exist, but for their limits. Returns the paths that
    changed."""
    wanted = render(read_environments() if environments is None else environments, argo, _limits_there(folder))
    changed = []
    for path, text in wanted.items():
        target = folder / path
        if not target.is_file() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
            changed.append(path)
    for path in _strangers(folder, wanted):
        (folder / path).unlink()
        changed.append(path)
    return sorted(changed)


def check(
    folder: Path = GITOPS, environments: Iterable[Environment] | None = None, argo: ArgoRelease = NEWEST
) -> list[str]:
    """What `write` would change in the folder, one unified diff per file; empty when nothing."""
    wanted = render(read_environments() if environments is None else environments, argo, _limits_there(folder))
    found = {path: (folder / path).read_text("utf-8") for path in wanted if (folder / path).is_file()}
    found |= {path: (folder / path).read_text("utf-8") for path in _strangers(folder, wanted)}
    differences = []
    for path in sorted(set(wanted) | set(found)):
        old, new = found.get(path, ""), wanted.get(path, "")
        if old != new:
            lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), path, f"{path} (rendered)")
            differences.append("".join(lines))
    return differences


def _limits_there(folder: Path) -> dict[str, str]:
    """A limit stays when its environment goes: a controller that starts without the key of a semaphore never again
    moves the jobs that hold or want it. docs/operations/runbooks.md says when it may be taken out by hand."""
    if not (folder / _LIMITS).is_file():
        return {}
    found: dict[str, str] = yaml.safe_load((folder / _LIMITS).read_text("utf-8"))["data"]
    return found


def _strangers(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Rendered files of environments that are described no more. Only this folder is wholly ours."""
    present = (path.relative_to(folder).as_posix() for path in (folder / _BASE / "environments").glob("*.yaml"))
    return sorted(path for path in present if path not in wanted)


def _source(path: str) -> str:
    """What a file is made from, for its first line."""
    if path in (_LIMITS, f"{_BASE}/quota.yaml"):
        return f"{_SOURCE}/*.toml"
    return f"{_SOURCE}/{Path(path).stem}.toml" if "/environments/" in path else _PROGRAM


def _kustomization(files: Iterable[str]) -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "jobs",
        "resources": sorted(path.removeprefix(f"{_BASE}/") for path in files),
    }


def _document(source: str, manifest: Mapping[str, Any]) -> str:
    return _HEADER.format(source=source) + plain_yaml(manifest)
