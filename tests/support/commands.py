"""Commands of consumers and publishers in tests: called in this process, each with a home of its own, and what they
print as JSON held against its schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jsonschema
from typer.testing import CliRunner

from client.schemas import schema_of
from provider_api.cli import app

ALICE, BOB = 7, 8  # accounts of the development chain that no other test uses
ADDS_UP: Final = """
import json, os, pathlib
lines = [line for path in sorted(pathlib.Path(os.environ["INPUTS"]).rglob("*")) if path.is_file()
         for line in path.read_text().split() if line.isdecimal()]
pathlib.Path(os.environ["OUTPUTS"], "sum.json").write_text(json.dumps(sum(map(int, lines))))
print("added", len(lines))
"""


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """All that was printed as data, where that is one line."""
        (line,) = self.out.splitlines()
        return line

    @property
    def json(self) -> Any:
        """The one document, which its schema allows."""
        return self._allowed(json.loads(self.out))

    @property
    def lines(self) -> list[Any]:
        """The documents of a command that prints one a line."""
        return [self._allowed(json.loads(line)) for line in self.out.splitlines()]

    def _allowed(self, document: Any) -> Any:
        jsonschema.Draft202012Validator(schema_of(self.words)).validate(document)
        return document


class Commands:
    """`commands("jobs", "--json")` answers what a shell would see. `home`: the user's folders, which a test reads."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: str, code: int | None = 0, typed: str | None = None) -> Done:
        """`code`: how it must end; None for any. `typed`: on standard input."""
        found = CliRunner().invoke(app, list(words), input=typed)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        done = Done(words, found.exit_code, found.stdout, found.stderr)
        assert code is None or done.code == code, (words, done.code, done.out, done.err)
        assert "Traceback" not in done.out + done.err, done.err
        assert "\x1b" not in done.out + done.err, "escapes of others reach the terminal"
        return done
