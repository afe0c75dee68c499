"""Program and rendered files go together, and rendering is the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from contract import names
from workflow_templates.environment import read_environments
from workflow_templates.render import check, render, write

pytestmark = pytest.mark.unit


def test_the_committed_files_are_what_the_programs_make() -> None:
    assert check() == [], "run `c2d admin templates render`"


def test_rendering_does_not_depend_on_the_order_of_the_descriptions() -> None:
    environments = read_environments()
    assert render(environments) == render(reversed(environments))


def test_the_kustomization_lists_exactly_the_other_files() -> None:
    files = render(read_environments())
    listed = yaml.safe_load(files["base/kustomization.yaml"])["resources"]
    assert {f"base/{path}" for path in listed} == set(files) - {"base/kustomization.yaml"}


def test_the_limits_are_those_of_the_descriptions() -> None:
    environments = read_environments()
    limits = yaml.safe_load(render(environments)["base/limits.yaml"])
    assert limits["metadata"]["name"] == names.LIMITS_CONFIG_MAP
    assert limits["data"] == {e.id: str(e.max_jobs) for e in environments}


def test_a_shared_results_volume_is_rendered_only_where_results_lie_on_one() -> None:
    environments = [e.model_copy(update={"results": "object-store"}) for e in read_environments()]
    files = render(environments)
    assert "base/results.yaml" not in files
    assert names.RESULTS_CLAIM not in "".join(files.values())
    assert "base/results.yaml" in render([environments[0].model_copy(update={"results": "shared-volume"})])


def test_two_environments_of_one_id_are_refused() -> None:
    first = read_environments()[0]
    with pytest.raises(ValueError, match=first.id):
        render([first, first])


def test_write_changes_what_differs_and_check_tells_of_it(tmp_path: Path) -> None:
    environments = read_environments()
    everything = sorted(render(environments))
    assert len(check(tmp_path, environments)) == len(everything)
    assert write(tmp_path, environments) == everything
    assert check(tmp_path, environments) == []
    assert write(tmp_path, environments) == []

    edited = tmp_path / "base" / "limits.yaml"
    edited.write_text(edited.read_text().replace("'4'", "'400'"))
    stranger = tmp_path / "base" / "environments" / "gone.yaml"
    stranger.write_text("kind: WorkflowTemplate\n")
    differences = check(tmp_path, environments)
    assert len(differences) == 2
    assert "-  ocean-compute: '400'" in differences[1]
    assert "+  ocean-compute: '4'" in differences[1]
    assert write(tmp_path, environments) == ["base/environments/gone.yaml", "base/limits.yaml"]
    assert not stranger.exists()


def test_a_limit_stays_when_its_environment_goes(tmp_path: Path) -> None:
    """A controller that starts without the key of a semaphore never again moves the jobs that hold or want it."""
    first, second = read_environments()
    write(tmp_path, [first, second])
    write(tmp_path, [first])
    limits = tmp_path / "base" / "limits.yaml"
    both = {each.id: str(each.max_jobs) for each in (first, second)}
    assert yaml.safe_load(limits.read_text())["data"] == both
    assert not (tmp_path / "base" / "environments" / f"{second.id}.yaml").exists()
    assert check(tmp_path, [first]) == []

    limits.write_text("".join(line for line in limits.read_text().splitlines(True) if f"  {second.id}:" not in line))
    assert check(tmp_path, [first]) == []
    more = first.model_copy(update={"max_jobs": first.max_jobs + 1})
    write(tmp_path, [more])
    assert yaml.safe_load(limits.read_text())["data"] == {first.id: str(more.max_jobs)}
