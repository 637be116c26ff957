"""Consents, and finding the standing case of a lane that takes one only."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("text_version", sa.SmallInteger(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_consents_case_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_consents_citizen_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_citizen_id_id", "consents", ["citizen_id", sa.literal_column("id DESC")])
    op.create_index("ix_consents_case_id", "consents", ["case_id"])
    op.create_index(
        "uq_consents_standing",
        "consents",
        ["citizen_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("case_id IS NULL AND withdrawn_at IS NULL"),
    )
    op.create_index(
        "ix_deliveries_standing",
        "deliveries",
        ["lane"],
        postgresql_where=sa.text("operation = 'submit' AND state IN ('delivered', 'needs_operator')"),
    )
