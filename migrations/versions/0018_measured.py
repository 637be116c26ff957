"""What calls to agencies' systems came to, in five minutes each."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | Sequence[str] | None = "0017"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "backend_calls",
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("backend", "operation", "slot", "outcome", "bucket", name=op.f("pk_backend_calls")),
    )
    op.create_index(op.f("ix_backend_calls_slot"), "backend_calls", ["slot"], unique=False)
    op.create_table(
        "backend_slots",
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("unanswered", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("backend", "slot", name=op.f("pk_backend_slots")),
    )
