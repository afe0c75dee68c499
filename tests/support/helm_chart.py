"""The Helm chart, rendered in this process by Helm's own library: no cluster, no network, no `helm` program."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

from tests.support.clients import ROOT

CHART = ROOT / "helm"
RELEASE = NAMESPACE = "c2d"
NOTES = "compute-to-data/templates/NOTES.txt"

Object = dict[str, Any]

# One file of values for each feature; and the least that has to be said.
CASES = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
MINIMAL: Object = yaml.safe_load(CASES["minimal"].read_text())


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, as Helm does. YAML's octal numbers are numbers here too."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
        return super().construct_mapping(node, deep)


@functools.cache
def chart() -> helm.Chart:
    return helm.Chart.load(CHART)


@functools.cache
def case(name: str) -> Object:
    values: Object = yaml.load(CASES[name].read_text(), _Loader)  # noqa: S506  (a SafeLoader)
    return values


def texts(values: Object, namespace: str = NAMESPACE) -> dict[str, str]:
    """Template -> what it renders to. The values are checked first, as an installation does."""
    chart().validate_schema(values)
    return chart().render(values, name=RELEASE, namespace=namespace)


def objects(values: Object, namespace: str = NAMESPACE) -> list[Object]:
    """Everything that would be sent to a cluster, hooks included."""
    found = []
    for template, text in texts(values, namespace).items():
        if template != NOTES:
            found += [document for document in yaml.load_all(text, _Loader) if document]
    return found


@functools.cache
def rendered(name: str) -> list[Object]:
    """The objects of one case. Shared: do not change them."""
    return objects(case(name))


def of_kind(found: list[Object], kind: str) -> list[Object]:
    return [each for each in found if each["kind"] == kind]


def one(found: list[Object], kind: str, name: str | None = None) -> Object:
    (only,) = [each for each in of_kind(found, kind) if name is None or each["metadata"]["name"] == name]
    return only


def pods(found: list[Object]) -> Iterator[tuple[str, Object]]:
    """(what it belongs to, pod template) of everything of the chart's own that makes pods."""
    for each in found:
        if each["kind"] in ("Deployment", "Job"):
            yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def merged(values: Object) -> Object:
    """Values with the chart's defaults."""
    return chart().merge_values(values)


def below(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Object]]:
    """Every mapping in a document, with its place."""
    if isinstance(document, dict):
        yield path, document
        for key, value in document.items():
            yield from below(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from below(value, (*path, index))


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


def write_values(path: Path, values: Object) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path
