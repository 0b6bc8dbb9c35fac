"""The rows that a trial learned from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Trials of before learned from all training rows."""
    op.add_column("trial", sa.Column("rows", sa.Integer()))


def downgrade() -> None:
    """Forget them."""
    op.drop_column("trial", "rows")
