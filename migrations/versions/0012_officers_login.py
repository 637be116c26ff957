"""Officers' logins that wait for their code, recoveries with four eyes, and where a session was opened from."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("officer_sessions", sa.Column("address_index", sa.LargeBinary(), nullable=True))
    op.create_table(
        "officer_challenges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("officer_id", sa.Uuid(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("tries between 0 and 5", name=op.f("ck_officer_challenges_tries")),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["officers.id"], name=op.f("fk_officer_challenges_officer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_challenges")),
    )
    op.create_index("ix_officer_challenges_officer_id", "officer_challenges", ["officer_id"])
    op.create_index("ix_officer_challenges_expires_at", "officer_challenges", ["expires_at"])
    _recoveries()


def _recoveries() -> None:
    op.create_table(
        "officer_recoveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("officer_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="asked", nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state in ('asked', 'approved', 'refused')", name=op.f("ck_officer_recoveries_state")),
        sa.CheckConstraint("asked_by <> officer_id", name=op.f("ck_officer_recoveries_not_ones_own")),
        sa.CheckConstraint(
            "decided_by is null or decided_by not in (officer_id, asked_by)",
            name=op.f("ck_officer_recoveries_four_eyes"),
        ),
        sa.CheckConstraint("(state = 'asked') = (decided_by is null)", name=op.f("ck_officer_recoveries_decided")),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["officers.id"], name=op.f("fk_officer_recoveries_officer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["officers.id"], name=op.f("fk_officer_recoveries_asked_by"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["officers.id"], name=op.f("fk_officer_recoveries_decided_by"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_recoveries")),
    )
    op.create_index("ix_officer_recoveries_asked_by", "officer_recoveries", ["asked_by"])
    op.create_index("ix_officer_recoveries_decided_by", "officer_recoveries", ["decided_by"])
    op.create_index(
        "uq_officer_recoveries_asked",
        "officer_recoveries",
        ["officer_id"],
        unique=True,
        postgresql_where=sa.text("state = 'asked'"),
    )
