"""What kustomize makes of a folder, for the few of its features that argo/gitops uses. A test compares it with the real
one where there is one.

Resources, components, namespace, patches by strategic merge (maps merge, lists replace, except containers and env by
name) or by JSON Patch's `replace` for a kind, images. Any other key of a kustomization is an error here.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
KNOWN = {"apiVersion", "kind", "resources", "components", "patches", "namespace", "images", "configurations"}
CLUSTER_WIDE = {
    "Namespace",
    "PersistentVolume",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}
_BY_NAME = {"containers", "env"}


def documents(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document]


def build(folder: Path) -> list[Manifest]:
    """The objects of a kustomization. Raises AssertionError for what is not understood or not there."""
    return _built(folder, [])


def _built(folder: Path, given: list[Manifest]) -> list[Manifest]:
    (kustomization,) = documents(folder / "kustomization.yaml")
    assert kustomization.keys() <= KNOWN, f"{folder}: {kustomization.keys() - KNOWN}"
    found = list(given)
    for name in kustomization.get("resources", []):
        path = (folder / name).resolve()
        found += _built(path, []) if path.is_dir() else documents(path)
    for name in kustomization.get("components", []):
        found = _built((folder / name).resolve(), found)
    if namespace := kustomization.get("namespace"):
        for manifest in found:
            if manifest["kind"] not in CLUSTER_WIDE:
                manifest["metadata"]["namespace"] = namespace
    for patch in kustomization.get("patches", []):
        changes = list(yaml.safe_load_all(patch["patch"])) if "patch" in patch else documents(folder / patch["path"])
        if "target" in patch:
            _replace_in_all(found, patch["target"], changes)
            continue
        for change in changes:
            _patch(found, change)
    for image in kustomization.get("images", []):
        for manifest in found:
            _name_images(manifest, image)
    return found


def _replace_in_all(found: list[Manifest], target: dict[str, str], changes: list[Any]) -> None:
    assert target.keys() == {"kind"}, "other targets are not understood"
    (operations,) = changes
    for manifest in (each for each in found if each["kind"] == target["kind"]):
        for operation in operations:
            assert operation["op"] == "replace", "another operation is not understood"
            *way, last = [int(part) if part.isdecimal() else part for part in operation["path"].split("/")[1:]]
            place: Any = manifest
            for part in way:
                place = place[part]
            assert last in place, "a field that is replaced must be there"
            place[last] = operation["value"]


def _patch(found: list[Manifest], change: Manifest) -> None:
    wanted = (change["kind"], change["metadata"]["name"])
    targets = [each for each in found if (each["kind"], each["metadata"]["name"]) == wanted]
    assert len(targets) == 1, f"a patch of {wanted} fits {len(targets)} objects"
    _merge(targets[0], change)


def _merge(target: Manifest, change: Manifest) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif key in _BY_NAME and isinstance(target.get(key), list):
            new = []
            for item in value:
                same = [each for each in target[key] if each["name"] == item["name"]]
                if same:
                    _merge(same[0], item)
                else:
                    new.append(copy.deepcopy(item))
            target[key][:0] = new
        else:
            target[key] = copy.deepcopy(value)


def _name_images(manifest: Manifest, image: dict[str, str]) -> None:
    if manifest["kind"] != "WorkflowTemplate":
        return
    for template in manifest["spec"]["templates"]:
        for container in [template.get("container"), *template.get("initContainers", [])]:
            if container and container["image"].partition(":")[0] == image["name"]:
                tag = container["image"].partition(":")[2]
                name = image.get("newName", image["name"])
                container["image"] = f"{name}@{image['digest']}" if "digest" in image else f"{name}:{tag}"
