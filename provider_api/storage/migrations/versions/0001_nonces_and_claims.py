"""Nonces and order claims."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nonces",
        sa.Column("consumer", sa.String(42), primary_key=True),
        sa.Column("value", sa.String(80), nullable=False),
    )
    op.create_table(
        "claims",
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("consumer", sa.String(42), nullable=False),
        sa.Column("nonce", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("chain_id", sa.BigInteger, nullable=False),
        sa.Column("agreement_id", sa.String(66), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
    )
    taken = sa.text("state IN ('open', 'submitted')")
    op.create_index(
        "one_job_per_agreement",
        "claims",
        ["chain_id", "agreement_id"],
        unique=True,
        sqlite_where=taken,
        postgresql_where=taken,
    )
    op.create_index("one_claim_per_nonce", "claims", ["consumer", "nonce"], unique=True)


def downgrade() -> None:
    op.drop_table("claims")
    op.drop_table("nonces")
