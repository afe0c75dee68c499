"""The files around the filter that runs ACRO: thresholds, environment, recipe, data."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from pathlib import Path

import pytest

from tests.support.acro_filter import DID, EXAMPLE, SURVEY, Folders, module
from workflow_templates.environment import read_environments

pytestmark = pytest.mark.unit

thresholds = module("thresholds")
PAGE = (EXAMPLE / "README.md").read_text()
TEXT = (EXAMPLE / "thresholds.toml").read_text()


def test_thresholds_as_they_come() -> None:
    read = thresholds.read_thresholds(EXAMPLE / "thresholds.toml")
    assert read.acro["safe_threshold"] == 10
    assert (read.suppress, read.max_leverage) == (False, 0.1)


@pytest.mark.parametrize(
    ("found", "put"),
    [
        ("safe_threshold = 10", "safe_threshhold = 10"),
        ("safe_threshold = 10", ""),
        ("safe_threshold = 10", "safe_threshold = 10\ncheck_missing_values = true"),
        ("safe_threshold = 10", "safe_threshold = 0"),
        ("safe_threshold = 10", "safe_threshold = 2.5"),
        ("safe_threshold = 10", "safe_threshold = true"),
        ("safe_nk_k = 0.9", "safe_nk_k = 90"),
        ("safe_nk_k = 0.9", "safe_nk_k = nan"),
        ("safe_nk_k = 0.9", 'safe_nk_k = "0.9"'),
        ("max_leverage = 0.1", "max_leverage = 0"),
        ("suppress = false", "suppress = 0"),
        ("[filter]", "[filters]"),
        ("[acro]", "[acro"),
    ],
)
def test_thresholds_that_cannot_be_kept(tmp_path: Path, found: str, put: str) -> None:
    assert found in TEXT
    (tmp_path / "thresholds.toml").write_text(TEXT.replace(found, put))
    with pytest.raises(thresholds.ThresholdsInvalid):
        thresholds.read_thresholds(tmp_path / "thresholds.toml")


def test_the_environment_runs_what_the_image_has(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "survey.toml", tmp_path)
    (environment,) = read_environments(tmp_path)
    assert environment.filter is not None
    recipe = re.sub(r"#.*\n", "", (EXAMPLE / "Dockerfile").read_text())
    interpreter, program, options = environment.filter.command
    assert f"python3 -m venv --without-pip {interpreter.removesuffix('/bin/python')}" in recipe
    (files, folder), *_ = re.findall(r"^COPY (?!--from)((?:\S+\.(?:py|toml) )+)(\S+)/$", recipe, re.MULTILINE)
    assert {program, options} <= {f"{folder}/{name}" for name in files.split()}
    assert set(files.split()) == {"check.py", "request.py", "thresholds.py", "thresholds.toml"}


def test_the_image_stands_on_the_same_base_as_those_of_the_project() -> None:
    base = re.compile(r"^ARG PYTHON=(\S+)$", re.MULTILINE)
    recipe = (EXAMPLE / "Dockerfile").read_text()
    assert base.findall(recipe) == base.findall((EXAMPLE.parents[1] / "pods" / "Dockerfile").read_text())
    assert {"--require-hashes", "--only-binary"} <= set(recipe.split())
    assert re.findall(r"^USER (\S+)$", recipe, re.MULTILINE) == ["1000:1000"]


def test_the_version_of_acro_is_the_one_that_was_tried() -> None:
    wanted = (EXAMPLE / "requirements.in").read_text().splitlines()[-1]
    assert f"\n{wanted} \\\n    --hash=sha256:" in "\n" + (EXAMPLE / "requirements.lock").read_text()


def test_the_pages_request_is_understood(tmp_path: Path) -> None:
    folders = Folders.make(tmp_path)
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (folders.outputs / "acro.json").write_text(text.replace("DID", DID))
    analyses = module("request").read_request(folders.outputs / "acro.json", folders.inputs, most=5)
    assert [len(analysis.names) for analysis in analyses] == [2, 3, 4]


def test_the_page_has_every_sentence_that_is_said() -> None:
    said = re.findall(r'^    (\d+): "(.*)",$', (EXAMPLE / "check.py").read_text(), re.MULTILINE)
    assert len(said) == 5
    assert [code for code, sentence in said if f"| {code} | `{sentence}`" not in PAGE] == []


def test_the_survey_is_made_up_and_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE / "make_survey.py"))
    assert capsys.readouterr().out == SURVEY


def test_the_algorithm_leaves_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = Folders.make(tmp_path)
    monkeypatch.setenv("DIDS", json.dumps([f"did:op:{DID}"]))
    monkeypatch.setenv("OUTPUTS", str(folders.outputs))
    runpy.run_path(str(EXAMPLE / "algorithm.py"))
    request = module("request")
    read = request.read_request(folders.outputs / "acro.json", folders.inputs, most=5)
    assert [type(analysis).__name__ for analysis in read] == ["Table", "Table", "Regression"]
