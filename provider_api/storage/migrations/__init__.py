"""Alembic migrations, run when the service starts and by `c2d admin migrate`. Alembic itself is only loaded where a
database is not up to date.

While a new release is rolled out, and after a step back to the old one, processes of the old release work on the new
tables. So a migration only adds: what the release before reads and writes stays as it was until the next release. A
database with a revision that this release does not know is therefore left as it is, and used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Select, column, inspect, select, table

REVISIONS: Final = frozenset(path.name[:4] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py"))
HEAD: Final = max(REVISIONS)
_REVISION: Final[Select[str]] = select(column("version_num")).select_from(table("alembic_version"))


@dataclass(frozen=True, slots=True)
class Upgrade:
    """From one revision to another; None: an empty database. `newer`: made by a later release, so nothing was done."""

    before: str | None
    after: str | None
    newer: bool = False


def upgrade(connection: Connection, revision: str = "head") -> Upgrade:
    """Bring the database of an open connection to a revision, the newest by default, inside its transaction."""
    before = current(connection)
    if before == HEAD and revision in ("head", HEAD):
        return Upgrade(before, before)
    if before is not None and before not in REVISIONS:
        return Upgrade(before, before, newer=True)
    from alembic import command  # (fifty modules)
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    return Upgrade(before, current(connection))


def current(connection: Connection) -> str | None:
    """The revision of a database, None where there are no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(_REVISION).scalar_one_or_none()
    return found
