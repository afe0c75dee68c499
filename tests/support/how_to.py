"""Programs that stand in the how-tos, block by block: run as they are, only addresses and DIDs are put in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provider_api.cli import SERVE_FOLDER
from provider_api.deploy.folder import DataFolder
from tests.support.clients import ROOT

# Where `make serve` writes the addresses of the contracts, as the pages say.
ADDRESSES = str(DataFolder(SERVE_FOLDER).chain / "address.json")
DOCS = ROOT / "docs"
HOW_TO = DOCS / "how-to"
# In the order in which they stand: each goes on with what the one before has left.
TUTORIAL = ("tutorial.md", "tutorial/price-and-trust.md", "tutorial/what-leaves.md", "tutorial/verify.md")
WITH_C2D = ("how-to/publish-with-c2d.md", "how-to/run-with-c2d.md", "how-to/ten-tasks.md")


@dataclass(frozen=True, slots=True)
class Part:
    """A block of a page. `title`: the file that it is, if it is one. `behind`: the text up to the next block."""

    language: str
    title: str
    code: str
    behind: str


def parts(page: str) -> list[Part]:
    """The blocks of a page below `docs`, in their order."""
    found = re.split(r'^```([a-z]+)(?: title="([^"]+)")?\n(.*?)^```\n', (DOCS / page).read_text(), flags=re.M | re.S)
    return [Part(*(each or "" for each in found[at : at + 4])) for at in range(1, len(found), 4)]


def blocks(page: str, language: str) -> list[str]:
    """The blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (HOW_TO / page).read_text(), re.MULTILINE | re.DOTALL)


def commands_of(page: str, first: str, last: str, *, leave_out: tuple[str, ...] = ()) -> str:
    """The page's shell commands from the heading `first` to before the heading `last`, without lines that begin so, and
    without what forwards ports."""
    text = (HOW_TO / page).read_text()
    part = text[text.index(f"\n{first}") : text.index(f"\n{last}")]
    kept = []
    for block in blocks(page, "sh"):
        if block in part:
            lines = block.replace("\\\n", " ").splitlines()
            kept += [line for line in lines if not line.startswith(leave_out) and "port-forward" not in line]
    return "\n".join(kept)


def program(page: str, language: str, put_in: Mapping[str, str]) -> str:
    """All blocks of that language, one after the other. Every text to be replaced must be there."""
    code = "\n".join(blocks(page, language))
    for old, new in put_in.items():
        assert old in code, f"{page} does not say {old} any more"
        code = code.replace(old, new)
    return code


def run(command: Sequence[str], code: str, folder: Path, name: str) -> str:
    """What the program printed."""
    (folder / name).write_text(code)
    done = subprocess.run([*command, name], cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout
