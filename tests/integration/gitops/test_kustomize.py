"""The tests' own kustomize against the real one, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.deployment import BUILDS, copied_gitops
from tests.support.kustomize import build

pytestmark = pytest.mark.integration


class _GoYaml(yaml.SafeLoader):
    """kustomize leaves addresses unquoted: for Go's YAML what is too large for an integer is text."""


def _integer(loader: _GoYaml, node: yaml.ScalarNode) -> int | str:
    value = yaml.SafeLoader.construct_yaml_int(loader, node)
    return value if value < 2**64 else str(node.value)


_GoYaml.add_constructor("tag:yaml.org,2002:int", _integer)
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def gitops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_gitops(tmp_path_factory.mktemp("deployment"))


@pytest.mark.parametrize("name", BUILDS)
def test_kustomize_makes_the_same(gitops: Path, name: str) -> None:
    program = next(
        ([p, *w] for p, w in (("kustomize", ["build"]), ("kubectl", ["kustomize"])) if shutil.which(p)), None
    )
    if program is None:
        pytest.skip("neither kustomize nor kubectl is installed")
    done = subprocess.run([*program, str(gitops / name)], capture_output=True, text=True, check=True, timeout=240)

    def ordered(manifests: list[Manifest]) -> list[Manifest]:
        return sorted(
            manifests, key=lambda each: (each["kind"], each["metadata"]["name"], str(each["metadata"].get("namespace")))
        )

    assert ordered(list(yaml.load_all(done.stdout, _GoYaml))) == ordered(build(gitops / name))
