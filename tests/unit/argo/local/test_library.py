"""Manifest files: read, refused by name, and read again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from argo.local.errors import ApiError
from argo.local.spec.library import TemplateLibrary
from tests.support.argo_server import RECORDINGS, ROOT

pytestmark = pytest.mark.unit

PLAIN = (RECORDINGS / "templates" / "rec-plain.yaml").read_text()


def test_reads_our_own_manifests_with_everything_beside_them() -> None:
    library = TemplateLibrary([ROOT / "argo" / "gitops" / "base"], "jobs")
    assert library.refresh()
    assert library.templates()
    for stored in library.templates():
        assert (library.limit("c2d-limits", stored.name) or 0) > 0


def test_changes_are_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(PLAIN)
    library = TemplateLibrary([tmp_path], "jobs")
    assert library.refresh()
    assert not library.refresh()
    first = library.get("rec-plain").document["metadata"]["resourceVersion"]
    file.write_text(PLAIN.replace("echo hello", "echo other"))
    os.utime(file, (1, 1))
    assert library.refresh()
    assert library.get("rec-plain").document["metadata"]["resourceVersion"] != first
    file.unlink()
    assert library.refresh()
    with pytest.raises(ApiError) as missing:
        library.get("rec-plain")
    assert missing.value.status == 404


def test_a_template_that_cannot_run_here_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        PLAIN.replace("  entrypoint: compute", "  entrypoint: compute\n  hostNetwork: true")
    )
    (tmp_path / "b.yaml").write_text(PLAIN.replace("name: rec-plain", "name: good"))
    (tmp_path / "c.yaml").write_text("a: [")
    library = TemplateLibrary([tmp_path], "jobs")
    library.refresh()
    assert [stored.name for stored in library.templates()] == ["good"]
    with pytest.raises(ApiError, match=r"spec\.hostNetwork is not supported") as refused:
        library.get("rec-plain")
    assert refused.value.status == 400


def test_a_limit_that_is_no_number_is_none(tmp_path: Path) -> None:
    file = tmp_path / "l.yaml"
    file.write_text("kind: ConfigMap\nmetadata: {name: c2d-limits}\ndata: {a: '2', b: x}\n")
    library = TemplateLibrary([file], "jobs")
    library.refresh()
    assert [library.limit("c2d-limits", key) for key in ("a", "b", "c")] == [2, None, None]
