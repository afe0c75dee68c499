"""The templates and semaphore limits of the manifest files, read again when a file changes.

Templates come from files only, as a GitOps controller would bring them: there is no REST call that adds one. A template
that this server cannot run faithfully is not listed, and starting a job from it answers 400 with the reason.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
import yaml

from argo.local.errors import invalid, template_not_found
from argo.local.spec.check import TemplateInvalid, read_spec
from argo.local.spec.model import Spec
from argo.local.troubles import report

log = structlog.get_logger(__name__)

# Kinds that a folder of manifests may hold besides; they mean something in a cluster only.
_OTHER_KINDS: Final = frozenset(
    re.findall(
        r"\w+",
        "Namespace NetworkPolicy ServiceAccount Role RoleBinding Secret PersistentVolumeClaim ResourceQuota "
        "LimitRange Kustomization Component ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
        "StorageClass",
    )
)
_LABEL_MAPS: Final = ("labels", "annotations")
_LIMIT: Final = re.compile(r"[0-9]{1,9}")
_Stamp = tuple[tuple[str | int, ...], ...]


class ManifestRefused(ValueError):
    """A document that cannot be what its kind says. The text names the field."""


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One WorkflowTemplate: as it is shown, and as it is run."""

    name: str
    document: Mapping[str, Any]  # {"metadata", "spec"} with the defaults that a real server shows
    spec: Spec


@dataclass(slots=True)
class _Contents:
    """What the files say. Limits remember their file: one that has become unreadable keeps those that it had."""

    templates: dict[str, StoredTemplate] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # template -> why
    limits: dict[tuple[str, str], tuple[str, Path]] = field(default_factory=dict)  # (ConfigMap, key) -> (text, file)
    broken: dict[str, str] = field(default_factory=dict)  # ConfigMap -> why
    unreadable: set[Path] = field(default_factory=set)


class TemplateLibrary:
    """`refresh` is cheap while nothing has changed (one stat per file). It raises nothing: what is odd is refused."""

    def __init__(self, paths: Iterable[Path], namespace: str) -> None:
        self._paths, self._namespace = tuple(paths), namespace
        self._stamp: _Stamp | None = None
        self._known = _Contents()

    def refresh(self) -> bool:
        """Read the files again if one was changed, added or removed. Answers whether that happened."""
        files = list(self._files())
        stamp = tuple(_stamp(path) for path in files)
        if stamp == self._stamp:
            return False
        found = _Contents()
        for path in files:
            try:
                documents = [item for item in yaml.safe_load_all(path.read_text("utf-8")) if item is not None]
            except (OSError, yaml.YAMLError, ValueError, RecursionError) as exc:  # (ValueError: no UTF-8, or no date)
                log.error("manifest_unreadable", path=str(path), error=str(exc) or type(exc).__name__)  # noqa: TRY400
                found.unreadable.add(path)
                continue
            for document in documents:
                self._take(path, document, found)
        self._keep_limits(found)
        self._refuse_for_broken(found)
        self._known, self._stamp = found, stamp
        log.info("templates_read", templates=sorted(found.templates), refused=sorted(found.refused))
        return True

    def templates(self) -> list[StoredTemplate]:
        """Sorted by name."""
        return [self._known.templates[name] for name in sorted(self._known.templates)]

    def get(self, name: str) -> StoredTemplate:
        """Raises ApiError: 404, or 400 for a template that is there but cannot be run here."""
        if name in self._known.refused:
            raise invalid(self._known.refused[name])
        if name not in self._known.templates:
            raise template_not_found(name)
        return self._known.templates[name]

    def limit(self, config_map: str, key: str) -> int | None:
        """A semaphore's size, None where it is not defined (or is not a number); 0 while its ConfigMap is refused."""
        text, _ = self._known.limits.get((config_map, key), ("", None))
        if not text and config_map in self._known.broken:
            return 0  # who waits goes on waiting
        return int(text) if _LIMIT.fullmatch(text) else None

    def _files(self) -> Iterable[Path]:
        for path in self._paths:
            if path.is_dir():
                try:
                    yield from sorted(found for found in path.rglob("*") if found.suffix in (".yaml", ".yml"))
                except OSError as exc:
                    log.error("manifests_unreadable", path=str(path), error=str(exc))  # noqa: TRY400
            elif os.path.lexists(path):
                yield path
            else:
                log.warning("manifest_missing", path=str(path))

    def _take(self, path: Path, document: Any, found: _Contents) -> None:
        kind = document.get("kind") if isinstance(document, dict) else None
        if not isinstance(kind, str):
            log.error("manifest_refused", path=str(path), problem="a document without a kind")
            return
        if kind in _OTHER_KINDS:
            return
        metadata = document.get("metadata")
        name = str(metadata.get("name") or "") if isinstance(metadata, dict) else ""
        try:
            if kind == "ConfigMap":
                require_metadata(metadata)
                for key, value in config_data(document.get("data")).items():
                    found.limits[name, key] = (value, path)
            elif kind == "WorkflowTemplate":
                require_metadata(metadata)
                found.templates[name] = self._template(name, metadata, document.get("spec") or {}, path)
            else:
                log.error("manifest_refused", path=str(path), kind=kind, name=name)
        except (ManifestRefused, TemplateInvalid) as exc:
            if kind == "ConfigMap":
                found.broken[name] = f"ConfigMap {name or 'without a name'} in {path.name}: {exc}"
            else:
                found.refused[name] = str(exc) if isinstance(exc, TemplateInvalid) else f"template {name}: {exc}"
            log.error("manifest_refused", path=str(path), kind=kind, name=name, problem=str(exc))  # noqa: TRY400
        except Exception as exc:  # noqa: BLE001  (told)
            report("manifest_refused", exc, path=str(path), kind=kind, name=name)
            found.refused[name] = f"{kind} {name} in {path.name} cannot be read: {type(exc).__name__}"

    def _keep_limits(self, found: _Contents) -> None:
        """Jobs that wait at a limit must not fail because a file is being edited: what it said last still holds."""
        for (config_map, key), (text, path) in self._known.limits.items():
            if config_map in found.broken or path in found.unreadable:
                found.limits.setdefault((config_map, key), (text, path))

    @staticmethod
    def _refuse_for_broken(found: _Contents) -> None:
        """No new job from a template whose semaphore's ConfigMap is refused."""
        for name, stored in tuple(found.templates.items()):
            for config_map in semaphores_of(stored.spec) & found.broken.keys():
                found.refused[name] = f"template {name} cannot be used: {found.broken[config_map]}"
                found.templates.pop(name, None)

    def _template(self, name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any], path: Path) -> StoredTemplate:
        parsed = read_spec(name, spec)
        try:
            content = json.dumps([metadata, spec], sort_keys=True).encode()
        except (TypeError, ValueError) as exc:  # a date, or keys of several types: YAML has them, JSON has not
            raise ManifestRefused(f"the template holds something that JSON has no words for: {exc}") from exc
        shown = {
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._namespace}/{name}")),
                "resourceVersion": str(int(hashlib.sha256(content).hexdigest()[:8], 16)),
                "generation": 1,
                "creationTimestamp": f"{datetime.fromtimestamp(path.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}",
                **{key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)},
            },
            "spec": with_defaults(spec),
        }
        return StoredTemplate(name, shown, parsed)


def _stamp(path: Path) -> tuple[str | int, ...]:
    """Another value whenever the file's content, or the right to read it, may be another."""
    try:
        info = path.stat()
    except OSError as exc:  # a dangling link, a file that is just being replaced
        return (str(path), exc.errno or 0)
    return (str(path), info.st_mtime_ns, info.st_ctime_ns, info.st_size)


def require_metadata(metadata: Any) -> None:
    """Raises ManifestRefused."""
    if not isinstance(metadata, dict):
        raise ManifestRefused("metadata is not an object")
    if not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise ManifestRefused("metadata.name is not a text")
    for what in _LABEL_MAPS:
        texts = metadata.get(what)
        if texts is not None and not _maps_texts(texts):
            raise ManifestRefused(f"metadata.{what} does not map text to text")


def _maps_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair)


def config_data(data: Any) -> dict[str, str]:
    """A ConfigMap's `data`; numbers are taken as their text. Raises ManifestRefused."""
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ManifestRefused("data is not an object")
    for key, value in data.items():
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ManifestRefused(f"data.{key} is not a text")
    return {str(key): str(value) for key, value in data.items()}


def semaphores_of(spec: Spec) -> set[str]:
    """Names of the ConfigMaps that hold the sizes of a template's semaphores."""
    waits = (template.synchronization for template in spec.templates if template.synchronization)
    return {semaphore.config_map_key_ref.name for wait in waits for semaphore in wait.semaphores}


def with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A template's spec with the empty objects that a real server adds when it shows one."""
    shown: dict[str, Any] = copy.deepcopy(dict(spec))
    for template in shown.get("templates", []):
        for key in ("inputs", "outputs", "metadata"):
            template.setdefault(key, {})
        for container in (template.get("container"), *template.get("initContainers", [])):
            if container is not None:
                container.setdefault("name", "")
                container.setdefault("resources", {})
        for task in (template.get("dag") or {}).get("tasks", []):
            task.setdefault("arguments", {})
    for claim in shown.get("volumeClaimTemplates", []):
        claim.setdefault("status", {})
    shown.setdefault("arguments", {})
    return shown
