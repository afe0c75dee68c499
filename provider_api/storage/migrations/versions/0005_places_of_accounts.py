"""Places of accounts in environments with a limit.

Jobs of before have none; Argo counts them. A process of the release before takes none either.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "claimed_places",
        sa.Column("environment", sa.String(253), primary_key=True),
        sa.Column("account", sa.String(42), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.String(32), nullable=False),
    )
    op.create_index("ix_claimed_places_job_id", "claimed_places", ["job_id"])


def downgrade() -> None:
    op.drop_table("claimed_places")
