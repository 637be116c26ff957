"""Accounts that became one with another are found from the other: its access log shows their rows, too."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | Sequence[str] | None = "0020"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_index(
        "ix_citizens_merged_into", "citizens", ["merged_into"], postgresql_where=sa.text("merged_into IS NOT NULL")
    )
