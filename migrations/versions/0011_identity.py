"""Proof of identity: what the population register said, its quota, accounts that lost a NIK; codes tried by account."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | Sequence[str] | None = "0010"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("citizens", sa.Column("displaced_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("challenges", sa.Column("account", sa.LargeBinary(), server_default="", nullable=False))
    op.add_column(
        "challenges", sa.Column("known_device", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_table(
        "identity_checks",
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "standing in ('pending', 'matched', 'differs', 'unknown', 'deceased', 'double', 'inactive')",
            name=op.f("ck_identity_checks_standing"),
        ),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_identity_checks_citizen_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("citizen_id", name=op.f("pk_identity_checks")),
    )
    op.create_table(
        "register_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_register_days")),
    )
    op.create_table(
        "code_tries",
        sa.Column("account", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("account", "purpose", name=op.f("pk_code_tries")),
    )
    op.create_index(op.f("ix_code_tries_last_at"), "code_tries", ["last_at"], unique=False)
