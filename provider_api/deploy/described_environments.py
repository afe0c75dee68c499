"""Environments of an operator's own on one machine: a folder of descriptions, rendered below the data folder.

The folder is looked at again and again, so an environment is added, changed or removed by its file, without a restart.
A description that cannot be read changes nothing: what was there stays, and the log says why.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from workflow_templates.environment import EnvironmentInvalid, read_environments
from workflow_templates.render import write

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 2.0
_Seen = frozenset[tuple[str, int, int]]


class DescribedEnvironments:
    """`source`: one TOML file for each environment. `target`: where the manifests are written."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source, self._target = source, target
        self._seen: _Seen | None = None

    def render(self) -> Path:
        """The folder of manifests, up to date. Raises EnvironmentInvalid, OSError."""
        self._seen = self._look()
        write(self._target, read_environments(self._source))
        return self._target / "base"

    def take_up(self, deploy: Callable[[Path], list[str]]) -> None:
        """Render and deploy if a description has changed since the last look."""
        if self._look() == self._seen:
            return
        try:
            taken = deploy(self.render())
        except (EnvironmentInvalid, OSError) as trouble:
            log.error("environments_not_taken", reason=str(trouble))  # noqa: TRY400
        else:
            log.info("environments_taken", environments=taken)

    def _look(self) -> _Seen:
        found = []
        for path in self._source.glob("*.toml"):
            try:
                facts = path.stat()
            except OSError:  # removed at this moment: the next look knows
                continue
            found.append((path.name, facts.st_mtime_ns, facts.st_size))
        return frozenset(found)
