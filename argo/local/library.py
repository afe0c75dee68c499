"""The templates and semaphore limits of the manifest files, read again when a file changes.

Templates come from files only, as a GitOps controller would bring them: there is no REST call that adds one. A template
that this server cannot run faithfully is not listed, and starting a job from it answers 400 with the reason.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
import yaml

from argo.local.errors import invalid, template_not_found
from argo.local.spec.check import TemplateInvalid, read_spec
from argo.local.spec.model import Spec

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
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One WorkflowTemplate: as it is shown, and as it is run."""

    name: str
    document: Mapping[str, Any]  # {"metadata", "spec"} with the defaults that a real server shows
    spec: Spec


class TemplateLibrary:
    """`refresh` is cheap while nothing has changed (one stat per file)."""

    def __init__(self, paths: Iterable[Path], namespace: str) -> None:
        self._paths, self._namespace = tuple(paths), namespace
        self._stamp: _Stamp | None = None
        self._templates: dict[str, StoredTemplate] = {}
        self._refused: dict[str, str] = {}
        self._limits: dict[tuple[str, str], str] = {}

    def refresh(self) -> bool:
        """Read the files again if one was changed, added or removed. Answers whether that happened."""
        files = list(self._files())
        stamp = tuple((str(path), (info := path.stat()).st_mtime_ns, info.st_size) for path in files)
        if stamp == self._stamp:
            return False
        templates: dict[str, StoredTemplate] = {}
        refused: dict[str, str] = {}
        limits: dict[tuple[str, str], str] = {}
        for path in files:
            try:
                documents = [item for item in yaml.safe_load_all(path.read_text("utf-8")) if item is not None]
            except (yaml.YAMLError, UnicodeDecodeError) as exc:
                log.error("manifest_unreadable", path=str(path), error=str(exc))  # noqa: TRY400  (the text says it all)
                continue
            for document in documents:
                self._take(path, document, templates, refused, limits)
        self._templates, self._refused, self._limits, self._stamp = templates, refused, limits, stamp
        log.info("templates_read", templates=sorted(templates), refused=sorted(refused))
        return True

    def templates(self) -> list[StoredTemplate]:
        """Sorted by name."""
        return [self._templates[name] for name in sorted(self._templates)]

    def get(self, name: str) -> StoredTemplate:
        """Raises ApiError: 404, or 400 for a template that is there but cannot be run here."""
        if name in self._refused:
            raise invalid(self._refused[name])
        if name not in self._templates:
            raise template_not_found(name)
        return self._templates[name]

    def limit(self, config_map: str, key: str) -> int | None:
        """A semaphore's size, None where it is not defined (or is not a number)."""
        text = self._limits.get((config_map, key), "")
        return int(text) if text.isdigit() else None

    def _files(self) -> Iterable[Path]:
        for path in self._paths:
            if path.is_dir():
                yield from sorted(found for found in path.rglob("*") if found.suffix in (".yaml", ".yml"))
            elif path.exists():
                yield path
            else:
                log.warning("manifest_missing", path=str(path))

    def _take(
        self,
        path: Path,
        document: Any,
        templates: dict[str, StoredTemplate],
        refused: dict[str, str],
        limits: dict[tuple[str, str], str],
    ) -> None:
        kind = document.get("kind") if isinstance(document, dict) else None
        metadata = document.get("metadata") or {} if isinstance(document, dict) else {}
        name = str(metadata.get("name", ""))
        if kind == "ConfigMap":
            for key, value in (document.get("data") or {}).items():
                limits[name, str(key)] = str(value)
        elif kind == "WorkflowTemplate":
            try:
                found = self._template(name, metadata, document.get("spec") or {}, path)
            except TemplateInvalid as exc:
                refused[name] = str(exc)
                log.error("template_refused", template=name, path=str(path), problems=exc.problems)  # noqa: TRY400
            else:
                templates[name] = found
        elif kind not in _OTHER_KINDS:
            log.error("manifest_refused", path=str(path), kind=kind, name=name)

    def _template(self, name: str, metadata: Mapping[str, Any], spec: Mapping[str, Any], path: Path) -> StoredTemplate:
        parsed = read_spec(name, spec)
        content = json.dumps([metadata, spec], sort_keys=True).encode()
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
