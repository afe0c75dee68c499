"""Alembic migrations, run when the service starts and by `c2d migrate`.

While a new release is rolled out, and after a step back to the old one, processes of the old release work on the new
tables. So a migration only adds: what the release before reads and writes stays as it was until the next release. A
database with a revision that this release does not know is therefore left as it is, and used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From one revision to another; None: an empty database. `newer`: made by a later release, so nothing was done."""

    before: str | None
    after: str | None
    newer: bool = False


def upgrade(connection: Connection, revision: str = "head") -> Upgrade:
    """Bring the database of an open connection to a revision, the newest by default, inside its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    before = MigrationContext.configure(connection).get_current_revision()
    if before is not None and before not in known:
        return Upgrade(before, before, newer=True)
    command.upgrade(config, revision)
    return Upgrade(before, MigrationContext.configure(connection).get_current_revision())
