"""No program of ours prints local variables of a frame, whatever it is that goes wrong, in none of its modes."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).parents[4]
SECRET = "correct horse battery staple"
RAISING = f"""
import asyncio, structlog

def inner(key):
    signature = {{"signed": [key]}}
    raise ValueError("it went wrong") from KeyError("first")

def outer():
    key = " ".join({SECRET.split()!r})  # as one text only in the frame
    inner(key)

def happens(log):
    secret = " ".join({SECRET.split()!r})
    try:
        outer()
    except ValueError:
        log("it_failed", count=len(secret))
"""
LOGGED = {
    "exception": "happens(structlog.get_logger('x').exception)",
    "exc_info": "happens(lambda event, **more: structlog.get_logger('x').error(event, exc_info=True, **more))",
    "in a task": "async def main():\n    happens(structlog.get_logger('x').exception)\nasyncio.run(main())",
}
SERVICE = "from provider_api.telemetry.logs import configure_logging\nfrom provider_api.settings import LogSettings\n"
MODES = {
    "the service, lines of JSON": SERVICE + "configure_logging(LogSettings(json_lines=True))",
    "the service, text": SERVICE + "configure_logging(LogSettings(json_lines=False))",
    "the service, all levels": SERVICE + "configure_logging(LogSettings(json_lines=False, level='debug'))",
    "a command": "from provider_api.cli import common\ncommon()",
    "the embedded Argo server": "from ocean.kit.logs import configure_for_commands\nconfigure_for_commands()",
}


def run(program: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "COLUMNS": "400", **env},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("mode", MODES)
def test_no_mode_prints_local_variables(mode: str) -> None:
    """All ways to log an exception, in one program of each mode."""
    program = "\n".join([RAISING, MODES[mode], *LOGGED.values()])
    for env in ({}, {"FORCE_COLOR": "1"}):
        written = run(program, **env)
        assert written.count("it_failed") >= len(LOGGED), written
        assert "it went wrong" in written  # the exception and its frames are there
        assert "in inner" in written
        assert "UserWarning" not in written
        assert SECRET not in written
        if "JSON" in mode:
            assert all("exception" in json.loads(line) for line in written.splitlines())


def test_the_secret_would_be_seen_if_local_variables_were_printed() -> None:
    """structlog as it comes: what the test above would find."""
    assert SECRET in run("\n".join([RAISING, LOGGED["exception"]]))


def test_an_error_that_ends_a_command_shows_none_either() -> None:
    program = (
        "from provider_api.cli import app\n"
        "@app.command()\n"
        f"def boom():\n    key = ' '.join({SECRET.split()!r})\n    raise ValueError('it went wrong')\n"
        "import sys\nsys.argv = ['c2d', 'boom']\napp()\n"
    )
    written = run(program)
    assert "it went wrong" in written
    assert SECRET not in written


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("provider_api/__main__.py", "configure_logging"),
        ("provider_api/cli/__init__.py", "configure_for_commands"),
        ("provider_api/cli/migrate.py", "configure_logging"),
        ("argo/local/__main__.py", "configure_for_commands"),
    ],
)
def test_every_program_says_how_it_logs(module: str, call: str) -> None:
    tree = ast.parse((PROJECT / module).read_text())
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert call in {func.id for func in calls if isinstance(func, ast.Name)}


def test_no_other_renderer_is_made() -> None:
    made = []
    for folder in ("provider_api", "argo", "ocean", "pods", "workflow_templates"):
        for path in (PROJECT / folder).rglob("*.py"):
            text = path.read_text()
            if any(
                word in text for word in ("ConsoleRenderer", "show_locals=True", "rich_traceback", "dict_tracebacks")
            ):
                made.append(str(path.relative_to(PROJECT)))
    assert made == ["ocean/kit/logs.py"]
