"""Which keys the rows stand under. The first process to start notes its own."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0037"
down_revision: str | Sequence[str] | None = "0036"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "standing_keys",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("former_ids", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('data', 'index', 'names')", name=op.f("ck_standing_keys_kind")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_standing_keys")),
    )
