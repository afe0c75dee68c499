"""`c2d admin migrate`: the tables of the service's database, brought up to date. Run before a new release starts."""

from __future__ import annotations

import asyncio

import typer
from pydantic import ValidationError

from provider_api.cli.startup_errors import explain
from provider_api.settings import Settings, UnknownSetting, load_settings
from provider_api.settings.text import SettingUnreadable
from provider_api.storage.database import Database, StorageUnavailable
from provider_api.storage.migrations import Upgrade
from provider_api.telemetry.logs import configure_logging


def migrate_database(wait_seconds: float) -> int:
    """Exit code: 0 when the database is up to date, 1 when it could not be brought there."""
    try:
        settings = load_settings()
        configure_logging(settings.log)
        upgrade = asyncio.run(_migrate(settings, wait_seconds))
    except (StorageUnavailable, SettingUnreadable, UnknownSetting, ValidationError, OSError) as trouble:
        typer.echo(explain(trouble), err=True)
        return 1
    typer.echo(_said(upgrade))
    return 0


async def _migrate(settings: Settings, wait_seconds: float) -> Upgrade:
    if settings.storage.url is None:
        settings.data_folder.mkdir(parents=True, exist_ok=True)
    database = Database(settings.storage_url())
    try:
        return await database.open(wait_seconds)
    finally:
        await database.close()


def _said(upgrade: Upgrade) -> str:
    if upgrade.newer:
        return f"the database has revision {upgrade.after} of a later release; nothing was changed"
    if upgrade.before == upgrade.after:
        return f"the database is up to date (revision {upgrade.after})"
    return f"the database went from {upgrade.before or 'nothing'} to revision {upgrade.after}"
