"""Odd files among the manifests: refused by name where they are needed; everything else works."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argo.local.errors import ApiError
from argo.local.spec.library import TemplateLibrary
from tests.support.argo_server import RECORDINGS

pytestmark = pytest.mark.unit

GOOD = (RECORDINGS / "templates" / "rec-plain.yaml").read_text().replace("name: rec-plain", "name: good")
LIMITS = "kind: ConfigMap\nmetadata: {name: limits}\ndata: {small: '3'}\n"


def library(folder: Path) -> TemplateLibrary:
    made = TemplateLibrary([folder], "jobs")
    made.refresh()
    return made


def good(folder: Path) -> None:
    (folder / "good.yaml").write_text(GOOD)


def names(made: TemplateLibrary) -> list[str]:
    return [stored.name for stored in made.templates()]


@pytest.mark.parametrize(
    "text",
    [
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: [a, b]\n",
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: text\n",
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: 7\n",
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: {a: {b: c}}\n",
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: {a: [1]}\n",
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: {a: true}\n",
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: {a: null}\n",
        "kind: ConfigMap\nmetadata: {name: limits}\ndata: {a: 2026-01-02}\n",
        "kind: ConfigMap\nmetadata: [name, limits]\ndata: {a: '1'}\n",
        "kind: ConfigMap\nmetadata: text\n",
        "kind: ConfigMap\nmetadata: {name: [1]}\n",
        "kind: ConfigMap\nmetadata: {name: 7}\n",
        "kind: ConfigMap\nmetadata: {name: limits, labels: [a]}\n",
        "kind: ConfigMap\n",
        "kind: [ConfigMap]\nmetadata: {name: limits}\n",
        "kind: {a: b}\n",
        "kind: WorkflowTemplate\nmetadata: {name: odd}\nspec: text\n",
        "kind: WorkflowTemplate\nmetadata: {name: odd}\nspec: [a]\n",
        "kind: WorkflowTemplate\nmetadata: {name: odd, labels: {a: 1}}\nspec: {}\n",
        "kind: WorkflowTemplate\nmetadata: {name: odd, annotations: {a: 2026-01-02}}\nspec: {}\n",
        "kind: WorkflowTemplate\nmetadata: 3\nspec: {}\n",
        "kind: WorkflowTemplate\nmetadata: {name: odd}\nspec: &a {templates: *a}\n",
        "- a\n- b\n",
        "text\n",
        "3\n",
        "2026-13-45\n",
        "a: 2026-13-45\n",
        "a: [\n",
        "? [a, b]\n: c\n",
        "!!python/object:os.system {}\n",
        "[" * 5000 + "]" * 5000,
        "\0",
    ],
)
def test_an_odd_document_keeps_nothing_else_from_working(tmp_path: Path, text: str) -> None:
    good(tmp_path)
    (tmp_path / "odd.yaml").write_text(text)
    (tmp_path / "limits-of-others.yaml").write_text("kind: ConfigMap\nmetadata: {name: others}\ndata: {a: '3'}\n")
    made = library(tmp_path)
    assert names(made) == ["good"]
    assert made.limit("others", "a") == 3
    assert not made.refresh()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from(["metadata", "data", "spec", "kind", "labels", "templates"]),
    st.sampled_from(["ConfigMap", "WorkflowTemplate"]),
)
def test_whatever_stands_in_a_field(tmp_path: Path, value: Any, where: str, kind: str) -> None:
    document: dict[str, Any] = yaml.safe_load(GOOD if kind == "WorkflowTemplate" else LIMITS)
    document["metadata"]["name"] = "odd"
    if where == "labels":
        document["metadata"]["labels"] = value
    elif where == "templates":
        document.setdefault("spec", {})["templates"] = value
    else:
        document[where] = value
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(document))
    good(tmp_path)
    made = library(tmp_path)
    assert "good" in names(made)
    if "odd" not in names(made):
        with pytest.raises(ApiError, match="odd") as refused:
            made.get("odd")
        assert refused.value.status in (400, 404)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"kind: ConfigMap\nmetadata: {name: caf\xe9}\n")
    (tmp_path / "empty.yaml").touch()
    made = library(tmp_path)
    assert names(made) == ["good"]
    assert not made.refresh()  # nothing is read again while nothing changes
    (tmp_path / "nowhere").write_text(LIMITS)
    assert made.refresh()
    assert made.limit("limits", "small") == 3


def test_a_named_file_that_cannot_be_read_keeps_no_other_out(tmp_path: Path) -> None:
    good(tmp_path)
    dangling = tmp_path / "x.yaml"
    dangling.symlink_to("nowhere")
    made = TemplateLibrary([dangling, tmp_path / "missing.yaml", tmp_path / "good.yaml"], "jobs")
    made.refresh()
    assert names(made) == ["good"]


def synchronized() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(GOOD)
    document["metadata"]["name"] = "waits"
    entry = next(item for item in document["spec"]["templates"] if item["name"] == document["spec"]["entrypoint"])
    entry["synchronization"] = {"semaphores": [{"configMapKeyRef": {"name": "limits", "key": "small"}}]}
    return document


def test_a_template_whose_limits_are_refused_says_which_file_and_why(tmp_path: Path) -> None:
    good(tmp_path)
    (tmp_path / "waits.yaml").write_text(yaml.safe_dump(synchronized()))
    (tmp_path / "sizes.yaml").write_text("kind: ConfigMap\nmetadata: {name: limits}\ndata: [3]\n")
    made = library(tmp_path)
    assert names(made) == ["good"]
    with pytest.raises(ApiError, match=r"waits.*ConfigMap limits in sizes\.yaml: data is not an object") as refused:
        made.get("waits")
    assert refused.value.status == 400
    assert made.limit("limits", "small") == 0  # a stored workflow that waits is not failed


@pytest.mark.parametrize("broken", ["data: [3]", "data: ["])
def test_while_a_file_is_being_edited_the_last_limits_hold(tmp_path: Path, broken: str) -> None:
    sizes = tmp_path / "sizes.yaml"
    sizes.write_text(LIMITS)
    made = library(tmp_path)
    sizes.write_text(f"kind: ConfigMap\nmetadata: {{name: limits}}\n{broken}\n")
    os.utime(sizes, (1, 1))
    assert made.refresh()
    assert made.limit("limits", "small") == 3
    sizes.write_text(LIMITS.replace("3", "4"))
    assert made.refresh()
    assert made.limit("limits", "small") == 4
