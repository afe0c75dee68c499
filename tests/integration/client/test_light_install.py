"""The client installed alone, as `pip install compute-to-data` does it, without the packages of the service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]
COPIED = ("ocean", "contract", "records", "results", "provider_api", "workflow_templates", "pods", "argo", "client")
HEAVY = (
    "alembic argo-workflows asyncpg fastapi graphql-core hera httptools kubernetes obstore prometheus-client"
    " pydantic-settings pynacl pyyaml sqlalchemy uvicorn uvloop"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment."""
    folder = tmp_path_factory.mktemp("light")
    source = folder / "source"
    for name in COPIED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")], check=True)
    python = str(folder / "venv" / "bin" / "python")
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, str(source)], check=True)
    listed = subprocess.run([uv, "pip", "freeze", "--python", python], check=True, capture_output=True, text=True)
    names = {line.partition("=")[0].lower() for line in listed.stdout.splitlines()}
    assert not names & set(HEAVY.split())
    return folder / "venv" / "bin"


def run(installed: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "HOME": str(home)}
    return subprocess.run([installed / "c2d", *words], env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--version", 0),
        ("-h", 0),
        ("run -h", 0),
        ("schemas", 0),
        ("profile list", 0),
        ("profile set away --provider http://127.0.0.1:9 --account development:2", 0),
        ("profile show local", 0),
        ("logout", 0),
        *((f"{words} -p pontus-x-test", 4) for words in ("jobs", "show a", "watch a", "stop a", "results a")),
    ],
)
def test_it_runs(installed: Path, tmp_path: Path, words: str, code: int) -> None:
    done = run(installed, tmp_path, *words.split())
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["serve", "demo", "admin migrate", "admin settings", "doctor"])
def test_what_needs_more_says_so(installed: Path, tmp_path: Path, words: str) -> None:
    done = run(installed, tmp_path, *words.split())
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "pip install 'compute-to-data[service]'" in done.stderr
