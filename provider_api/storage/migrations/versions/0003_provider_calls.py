"""Nonces of providers on the Operator-Service API."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_calls",
        sa.Column("signer", sa.String(42), primary_key=True),
        sa.Column("nonce", sa.String(80), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("used_at", sa.Float, nullable=False),
    )
    op.create_index("ix_provider_calls_used_at", "provider_calls", ["used_at"])


def downgrade() -> None:
    op.drop_table("provider_calls")
