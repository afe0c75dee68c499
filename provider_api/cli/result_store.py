"""`c2d admin result-store`: the file store.json of the Secret c2d-result-store, by the settings of the service."""

from __future__ import annotations

import json

import typer

from provider_api.cli.startup_errors import explain
from provider_api.deploy.pods_store import pods_store
from provider_api.keys import KeyMissing, load_keys
from provider_api.settings import UnknownSetting, load_settings
from results.store import StoreInvalid, open_store


def print_store() -> int:
    """Exit code: 0, or 1 for settings or keys that make no sense."""
    try:
        settings = load_settings()
        document = pods_store(settings.results, load_keys(settings.provider))
        if not document["url"].startswith("file:"):
            open_store(document["url"], document["options"])
    except (KeyMissing, StoreInvalid, UnknownSetting, ValueError) as trouble:
        typer.echo(explain(trouble), err=True)
        return 1
    typer.echo(json.dumps(document))
    return 0
