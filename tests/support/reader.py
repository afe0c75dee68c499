"""A reader of pages: makes the files that they show, runs their commands in one shell, and compares what is printed.

In a page a block with a title is a file. A block of `sh` is run, and the block of `text` behind it is its output, line
by line: `…` stands for anything in a line, a line of it alone for any lines, and blanks count as one. A command ends
with the exit code that the text behind it names (`exit code `3``), else with 0. JOB stands for the last job's id.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.support.clients import ROOT
from tests.support.how_to import Part, parts

_SECONDS = 240


class Reader:
    """`home`: an empty folder. `elsewhere`: blocks that the test stands in for. `put_in`: what is other than a page
    says, such as the service's address."""

    def __init__(self, home: Path, *, elsewhere: Collection[str] = (), put_in: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.job = ""
        self._elsewhere, self._put_in = set(elsewhere), dict(put_in or {})
        self._place, self._variables = home / ".place", home / ".variables"
        self._place.write_text(str(ROOT))
        given = {name: value for name, value in os.environ.items() if not name.startswith(("C2D_", "XDG_", "PYTHON"))}
        self.environment = {**given, "HOME": str(home), "COLUMNS": "140", "NO_COLOR": "1"}

    def read(self, page: str) -> int:
        """Do what the page says, from its first line to its last; how many blocks were run."""
        found = parts(page)
        run = 0
        for index, part in enumerate(found):
            if part.title:
                self._folder().joinpath(part.title).write_text(part.code)
            elif part.language == "sh" and part.code.strip() not in self._elsewhere:
                self._run(page, part, found[index + 1] if index + 1 < len(found) else None)
                run += 1
        return run

    def command(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the reader; both streams in one, as a terminal shows them."""
        script = (
            f'[ ! -e {self._variables} ] || . {self._variables}\ncd "$(cat {self._place})"\n{text}\n'
            f"code=$?; export -p > {self._variables}; pwd > {self._place}; exit $code"
        )
        return subprocess.run(
            ["bash", "-c", script],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def _run(self, page: str, part: Part, shown: Part | None) -> None:
        code = part.code
        assert not re.search(r" -d\n(.*\n)*.*JOB", code), f"{page}: the job has no id yet: {code}"
        for old, new in {**self._put_in, "JOB": self.job}.items():
            code = code.replace(old, new)
        done = self.command(code)
        for job in re.findall(r"^job ([0-9a-f]{32}) is started", done.stdout, re.MULTILINE):
            self.job = job
        output = shown if shown is not None and shown.language == "text" and not shown.title else None
        behind = part.behind if output is None else part.behind + output.behind
        expected = re.search(r"exit\s+code\s+`(\d+)`", behind, re.IGNORECASE)
        context = f"{page}: {part.code}{done.stdout}"
        assert done.returncode == (int(expected[1]) if expected else 0), context
        if output is not None:
            text = output.code
            for old, new in self._put_in.items():
                text = text.replace(old, new)
            assert pattern(text).fullmatch(squeezed(done.stdout)), f"{context}\n--- the page shows\n{text}"

    def _folder(self) -> Path:
        return Path(self._place.read_text().strip())


def squeezed(text: str) -> str:
    """Lines without blanks at their ends, runs of blanks as one, no empty lines."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def pattern(shown: str) -> re.Pattern[str]:
    """What a page shows, as an expression for squeezed outputs."""
    lines = squeezed(shown).splitlines()
    return re.compile(
        "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", r"[^\n]*?") + r"\n" for line in lines)
    )
