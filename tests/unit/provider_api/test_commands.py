"""What the command line itself does: version, help, completion; and commands that must not do half of something."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from provider_api.cli import app
from provider_api.cli.demo.assets import ExampleMissing, example_files
from workflow_templates.environment import FOLDER

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_version() -> None:
    assert (run("--version").exit_code, run("--version").output) == (0, f"c2d {version('compute-to-data')}\n")


@pytest.mark.parametrize("command", [(), ("serve",), ("doctor",), ("admin",), ("admin", "chart", "render"), ("run",)])
def test_both_words_for_help(command: tuple[str, ...]) -> None:
    short, long = run(*command, "-h"), run(*command, "--help")
    assert (short.exit_code, short.output) == (0, long.output)
    assert "Usage:" in short.output


def test_shells_complete() -> None:
    assert "--install-completion" in run("--help").output


@pytest.mark.parametrize("kind", ["absent", "empty", "a file", "one broken", "other files"])
@pytest.mark.parametrize("check", [False, True])
def test_nothing_is_rendered_from_a_folder_without_environments(tmp_path: Path, kind: str, check: bool) -> None:
    """Neither written nor removed: what GitOps would then prune are the environments of a deployment."""
    source, target = tmp_path / "descriptions", tmp_path / "rendered"
    kept = target / "base" / "environments" / "small.yaml"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept: true\n")
    if kind == "a file":
        source.write_text((FOLDER / "ocean-compute.toml").read_text())
    elif kind != "absent":
        source.mkdir()
    if kind == "one broken":
        (source / "ocean-compute.toml").write_text((FOLDER / "ocean-compute.toml").read_text())
        (source / "broken.toml").write_text("id = ")
    elif kind == "other files":
        (source / "small.yaml").write_text("id: small")
    words = [
        "admin",
        "templates",
        "render",
        "--from",
        str(source),
        "--to",
        str(target),
        *(["--check"] if check else []),
    ]
    done = run(*words)
    assert done.exit_code != 0
    assert "descriptions" in re.sub(r"[\s│]", "", done.output)
    assert [path.name for path in target.rglob("*") if path.is_file()] == ["small.yaml"]
    assert kept.read_text() == "kept: true\n"
    assert run("admin", "chart", "environments", str(source)).exit_code != 0
    assert run("admin", "keys", str(tmp_path / "keys"), "--environments", str(source)).exit_code != 0
    assert not (tmp_path / "keys").exists()


def make(folder: Path, target: str, answer: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    words = ["make", "--no-print-directory", "--file", str(ROOT / "Makefile"), target]
    words += [f"{name}={value}" for name, value in variables.items()]
    return subprocess.run(
        words, cwd=folder, input=answer, capture_output=True, text=True, check=False, timeout=240, env=dict(os.environ)
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (".venv", ".clients", "tools/node_modules", "data/serve"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data/serve/provider.key").write_text("a key\n")
    return tmp_path


def test_clean_keeps_keys_and_results(checkout: Path) -> None:
    assert make(checkout, "clean").returncode == 0
    assert sorted(path.name for path in checkout.iterdir()) == ["data", "tools"]
    assert (checkout / "data/serve/provider.key").exists()


@pytest.mark.parametrize(
    ("answer", "sure", "kept"), [("yes\n", "", False), ("y\n", "", True), ("", "", True), ("", "yes", False)]
)
def test_data_is_removed_after_a_question(checkout: Path, answer: str, sure: str, kept: bool) -> None:
    done = make(checkout, "clean-data", answer, **({"SURE": sure} if sure else {}))
    assert (checkout / "data/serve/provider.key").exists() is kept
    assert (done.returncode == 0) is not kept


def test_system_packages_are_announced_before_they_are_installed() -> None:
    text = (ROOT / "tools" / "setup").read_text()
    assert text.index("installing the system package bubblewrap") < text.index("sleep 5") < text.index("apt-get update")


def test_the_demo_says_what_its_algorithm_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ExampleMissing, match=r"pip install 'compute-to-data\[demo\]'"):
        example_files()
