"""Every order of a job, accepted texts, generations of tokens, longer nonces.

Orders that are claimed by the release before are taken over. A process of that release goes on to claim only the order
that pays, in `claims`, and does not know of the others; newer processes look there too.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NONCES = (("nonces", "value"), ("claims", "nonce"), ("provider_calls", "nonce"))


def upgrade() -> None:
    op.create_table(
        "claimed_orders",
        sa.Column("chain_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("order_id", sa.String(66), primary_key=True),
        sa.Column("job_id", sa.String(32), nullable=False),
    )
    op.create_index("ix_claimed_orders_job_id", "claimed_orders", ["job_id"])
    op.execute(
        "INSERT INTO claimed_orders (chain_id, order_id, job_id)"
        " SELECT chain_id, agreement_id, job_id FROM claims WHERE state IN ('open', 'submitted')"
    )
    op.create_table(
        "accepted_texts",
        sa.Column("consumer", sa.String(42), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("digits", sa.Integer, nullable=False),
    )
    op.create_table(
        "token_generations",
        sa.Column("consumer", sa.String(42), primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
    )
    _nonces_of(300)


def downgrade() -> None:
    _nonces_of(80)
    op.drop_table("token_generations")
    op.drop_table("accepted_texts")
    op.drop_table("claimed_orders")


def _nonces_of(length: int) -> None:
    """SQLite does not look at lengths."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, column in _NONCES:
        op.alter_column(table, column, type_=sa.String(length), existing_nullable=False)
