"""What backends tell unasked, each thing once; and what became of messages that were sent."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | Sequence[str] | None = "0013"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "callback_receipts",
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("outcome IN ('asked', 'unknown')", name=op.f("ck_callback_receipts_outcome")),
        sa.PrimaryKeyConstraint("backend", "digest", name=op.f("pk_callback_receipts")),
    )
    op.create_index(op.f("ix_callback_receipts_received_at"), "callback_receipts", ["received_at"])
    op.add_column("outgoing_messages", sa.Column("reached", sa.String(), server_default="", nullable=False))
    op.add_column("outgoing_messages", sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True))
    # Every row that stands has "": nothing to read over while others wait.
    op.execute(
        "ALTER TABLE outgoing_messages ADD CONSTRAINT ck_outgoing_messages_reached "
        "CHECK (reached IN ('', 'waiting', 'sent', 'failed')) NOT VALID"
    )
    op.execute("ALTER TABLE outgoing_messages VALIDATE CONSTRAINT ck_outgoing_messages_reached")
    op.create_index(
        "ix_outgoing_messages_gateway_id",
        "outgoing_messages",
        ["gateway_id"],
        postgresql_where=sa.text("gateway_id <> ''"),
    )
