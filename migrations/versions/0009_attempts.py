"""A lasting record of every try to hand something over, what officers do about deliveries, and asking after as one."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"

_OUTCOMES = "'delivered', 'rejected', 'needs_operator', 'unavailable', 'unknown', 'failed', 'waited'"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("unknown", sa.Boolean(), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("calls", sa.Integer(), server_default="0", nullable=False),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("exchanges_enc", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(f"outcome IN ({_OUTCOMES})", name=op.f("ck_delivery_attempts_outcome")),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_delivery_attempts_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_delivery_attempts")),
    )
    op.create_index(
        "ix_delivery_attempts_exchanges",
        "delivery_attempts",
        ["started_at"],
        postgresql_where=sa.text("exchanges_enc IS NOT NULL"),
    )
    op.create_table(
        "delivery_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("officer", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("reason_enc", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "action IN ('retry', 'send_again', 'delivered', 'rejected')", name=op.f("ck_delivery_actions_action")
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_delivery_actions_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_actions")),
    )
    op.create_index("ix_delivery_actions_delivery_id", "delivery_actions", ["delivery_id"])
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["backend", "id"],
        postgresql_where=sa.text("state IN ('queued', 'delivering', 'needs_operator')"),
    )
    op.create_index(
        "uq_deliveries_follow",
        "deliveries",
        ["case_id"],
        unique=True,
        postgresql_where=sa.text("operation = 'follow' AND state = 'needs_operator'"),
    )
    # One more operation. Old processes write none of it; what stands there already fits, so nothing is read over.
    op.execute("ALTER TABLE deliveries DROP CONSTRAINT ck_deliveries_operation")
    op.execute(
        "ALTER TABLE deliveries ADD CONSTRAINT ck_deliveries_operation "
        "CHECK (operation IN ('submit', 'answer', 'withdraw', 'follow')) NOT VALID"
    )
    op.execute("ALTER TABLE deliveries VALIDATE CONSTRAINT ck_deliveries_operation")
