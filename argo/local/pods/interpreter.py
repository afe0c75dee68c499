"""What this project's Python needs of the machine, so that it runs the same in a sandbox: folders, files, links.

A virtual environment's `python` is a link, perhaps over several others, to an interpreter that may lie anywhere (a home
folder, pyenv, uv, a version manager's links). Each link on the way is made again inside, with its own text; what they
lead to is bound at its real path. Only what is needed, never the folder around it: keys may lie beside it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

STEP_PACKAGES = ("ocean", "contract", "results", "pods")  # what our own steps import of this project
_MACHINE = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")  # always there, bound or linked
_MOST_LINKS = 40


@dataclass(slots=True)
class Needs:
    """`folders` and `files` are bound at their own real paths; `links` map a path to its text."""

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)

    def covered(self, path: str) -> bool:
        return any(path == known or path.startswith(known.rstrip("/") + "/") for known in (*_MACHINE, *self.folders))

    def add(self, path: str) -> None:
        """Raises OSError for a path that leads nowhere."""
        links, real = way(path)
        if not self.covered(real):
            if os.path.isdir(real):
                self.folders = [known for known in self.folders if not known.startswith(real + "/")] + [real]
            elif real not in self.files:
                self.files.append(real)
        self.links |= links

    def finished(self) -> Needs:
        """Without what lies below a folder that is bound."""
        self.links = {path: text for path, text in self.links.items() if not self.covered(path)}
        self.files = [path for path in self.files if not self.covered(path)]
        return self


def way(path: str) -> tuple[dict[str, str], str]:
    """The links on the way to a path, in all of its parts, and the real path at its end. Raises OSError."""
    links: dict[str, str] = {}
    followed = 0
    here, rest = "/", [part for part in os.path.abspath(path).split("/") if part]
    while rest:
        part = rest.pop(0)
        if part == "..":
            here = os.path.dirname(here)
            continue
        below = os.path.join(here, part)
        if not os.path.islink(below):
            os.lstat(below)
            here = below
            continue
        followed += 1
        if followed > _MOST_LINKS:
            raise OSError(f"too many links on the way to {path}")
        links[below] = text = os.readlink(below)
        if text.startswith("/"):
            here = "/"
        rest = [word for word in text.split("/") if word not in ("", ".")] + rest
    return links, here


def interpreter(*, packages: bool) -> Needs:
    """For the running interpreter; with the project's packages that steps import."""
    needs = Needs()
    folders = (sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix)
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    packaged = (path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages"))
    wanted: list[str] = [*folders, *libraries, *packaged]
    if packages:
        wanted += [package_folder(name) for name in STEP_PACKAGES]
    for path in wanted:
        if os.path.lexists(path):
            needs.add(path)
    for program in (sys.executable, getattr(sys, "_base_executable", "")):
        if program and os.path.lexists(program):
            needs.add(program)
    for library in _libraries():
        if not needs.covered(library):
            needs.add(library)
            for name in _names_of(library):
                needs.add(name)
    return needs.finished()


def package_folder(name: str) -> str:
    """Where a package of this project lies."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name)
    return os.path.abspath(spec.submodule_search_locations[0])


def _libraries() -> Iterable[str]:
    """Shared libraries that the interpreter itself is made of, wherever the loader has found them."""
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        paths = {line.split(None, 5)[5].rstrip("\n") for line in maps if line.count(" ") and "/" in line}
    return sorted(path for path in paths if ".so" in os.path.basename(path) and os.path.isfile(path))


def _names_of(library: str) -> Iterator[str]:
    """Links beside a library that lead to it: the loader asks for it by one of them."""
    folder = os.path.dirname(library)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() and os.path.realpath(entry.path) == library:
                yield entry.path
