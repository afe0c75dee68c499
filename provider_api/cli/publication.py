"""`c2d admin publication`: the file publication.json of the Secret c2d-publication, by the settings of the service."""

from __future__ import annotations

import json

import typer

from ocean.chain.network import NetworkMisconfigured
from provider_api.cli.startup_errors import explain
from provider_api.deploy.pods_publication import PublicationUnset, chain_of, pods_publication, provider_url_of
from provider_api.keys import KeyMissing, load_keys
from provider_api.settings import UnknownSetting, load_settings


def print_publication(chain_id: int, files_url: str) -> int:
    """Exit code: 0, or 1 for settings or keys that make no sense."""
    try:
        settings = load_settings()
        document = pods_publication(
            chain_of(settings, chain_id),
            chain_id,
            load_keys(settings.provider),
            provider_url=provider_url_of(settings),
            files_url=files_url,
        )
    except (KeyMissing, NetworkMisconfigured, PublicationUnset, UnknownSetting, ValueError) as trouble:
        typer.echo(explain(trouble), err=True)
        return 1
    typer.echo(json.dumps(document))
    return 0
