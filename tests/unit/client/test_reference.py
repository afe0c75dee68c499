"""The published page and schemas of the command line, and what every command's help has."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from typer.testing import CliRunner, Result

from client.exits import MEANINGS, Exit
from client.schemas import PRINTED, schema_of, schemas, schemas_text
from provider_api.cli import app, main
from provider_api.cli.command_line_page import command_line_page

pytestmark = pytest.mark.unit
REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def commands(group: Any, *before: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        if not command.hidden:
            inner = commands(command, *before, name) if hasattr(command, "commands") else [(*before, name)]
            found += inner
    return found


COMMANDS = commands(typer.main.get_command(app))


def run(*words: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(app, list(words))


def test_what_is_published_is_current() -> None:
    assert (REFERENCE / "command-line.json").read_text() == schemas_text(), "run `make render`"
    assert (REFERENCE / "command-line.md").read_text() == command_line_page(app), "run `make render`"


def test_schemas_are_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(schemas())
    for name in PRINTED:
        jsonschema.Draft202012Validator(schema_of(name.split())).validate({"error": "x", "exit": 5})


def test_every_exit_code_is_explained() -> None:
    assert set(MEANINGS) == set(Exit)


def test_every_command_that_prints_json_has_a_schema() -> None:
    root: Any = typer.main.get_command(app)
    for words in COMMANDS:
        command = root
        for word in words:
            command = command.commands[word]
        has = any("--json" in parameter.opts for parameter in command.params)
        assert has == (" ".join(words) in PRINTED) or words in (("doctor",), ("try",)), words  # these have their own


def test_every_command_has_an_example() -> None:
    root: Any = typer.main.get_command(app)
    for words in COMMANDS:
        command = root
        for word in words:
            command = command.commands[word]
        assert f"Example: c2d {' '.join(words)}" in " ".join(command.help.split())
    assert "Example: c2d run did:op:" in run("run", "-h").output


@pytest.mark.parametrize("words", [(), ("run",), ("profile", "set")], ids=" ".join)
def test_narrow_terminals_and_no_colours(words: tuple[str, ...]) -> None:
    done = run(*words, "-h", COLUMNS="40", TERMINAL_WIDTH="40", NO_COLOR="1", FORCE_COLOR="")
    assert done.exit_code == 0
    assert max(len(line) for line in done.output.splitlines()) <= 40
    assert "\x1b[3" not in done.output


OLD = ("migrate", "templates render", "chart render")


@pytest.mark.parametrize("old", OLD)
def test_names_of_before(old: str) -> None:
    assert run(*old.split(), "-h").exit_code == 0
    assert not re.search(rf"^│ {old.split()[0]}\b", run("-h").output, re.MULTILINE)


def test_names_of_before_say_the_new_one() -> None:
    before, now = run("openapi"), run("admin", "openapi")
    assert before.stdout == now.stdout
    assert (before.stderr, now.stderr) == ("c2d openapi is called c2d admin openapi now\n", "")
    assert run("templates", "render", "--check").stderr == "c2d templates is called c2d admin templates now\n"


def test_without_the_packages_of_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["c2d", "admin", "migrate"])
    monkeypatch.setitem(sys.modules, "provider_api.cli.migrate", None)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "pip install 'compute-to-data[service]'" in capsys.readouterr().err
