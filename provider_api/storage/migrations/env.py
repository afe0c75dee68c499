"""Alembic's entry: it only ever runs on the connection that the service hands over."""

from __future__ import annotations

from alembic import context

from provider_api.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
