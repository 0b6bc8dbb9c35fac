"""The formats of a run's bundle."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A run of before has none that are known."""
    op.add_column("run", sa.Column("formats", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    """Forget them."""
    op.drop_column("run", "formats")
