"""Environments of an operator's own on one machine: a folder of descriptions, rendered below the data folder.

The folder is looked at again and again, so an environment is added, changed or removed by its file, without a restart.
A description that cannot be read changes nothing of its own environment, nor of others; the log says why, in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from workflow_templates.environment import Environment, EnvironmentInvalid, read_environment, read_environments
from workflow_templates.render import write

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
_Seen = frozenset[tuple[str, int, int]]


class DescribedEnvironments:
    """`source`: one TOML file for each environment. `target`: where the manifests are written."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target
        self._seen: _Seen | None = None
        self._rendered: dict[str, Environment] = {}
        self._told: dict[str, str] = {}  # what is wrong with a file, once said

    def render(self) -> Path:
        """The folder of manifests, up to date. Raises EnvironmentInvalid, OSError."""
        self._seen = self._look()
        return self._write(read_environments(self._source))

    def take_up(self, deploy: Callable[[Path], list[str]]) -> None:
        """Render and deploy if a description has changed since the last look."""
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            found = self._readable()
            if found == tuple(self._rendered.values()):
                return
            taken = deploy(self._write(found))
        except (EnvironmentInvalid, OSError) as trouble:
            log.error("environments_not_taken", reason=str(trouble))  # noqa: TRY400
        else:
            log.info("environments_taken", environments=taken)

    def _readable(self) -> tuple[Environment, ...]:
        """Those of the folder; where a file cannot be read, what it said before, if it was there. Raises
        EnvironmentInvalid, OSError."""
        paths = sorted(self._source.glob("*.toml"))
        if not paths:
            return read_environments(self._source)  # which says why that is an error
        found, told = {}, {}
        for path in paths:
            try:
                found[path.stem] = read_environment(path)
            except (EnvironmentInvalid, OSError) as trouble:
                if path.stem in self._rendered:
                    found[path.stem] = self._rendered[path.stem]
                kept = "the old one stays" if path.stem in found else "it is not offered"
                told[path.stem] = f"{trouble}; {kept}"
                if self._told.get(path.stem) != told[path.stem]:
                    log.error("environment_not_taken", reason=told[path.stem])  # noqa: TRY400
        self._told = told
        return tuple(found[name] for name in sorted(found)) or tuple(self._rendered.values())

    def _write(self, environments: tuple[Environment, ...]) -> Path:
        write(self._target, environments)
        self._rendered = {environment.id: environment for environment in environments}
        return self._target / "base"

    def _look(self) -> _Seen:
        found = []
        for path in self._source.glob("*.toml"):
            try:
                facts = path.stat()
            except OSError:  # removed at this moment: the next look knows
                continue
            found.append((path.name, facts.st_mtime_ns, facts.st_size))
        return frozenset(found)
