"""National identity: logins under way, who is known by one, and accounts that became one with another."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | Sequence[str] | None = "0015"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("citizens", sa.Column("merged_into", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_citizens_merged_into"), "citizens", "citizens", ["merged_into"], ["id"])
    op.create_table(
        "national_logins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("secrets_enc", sa.LargeBinary(), nullable=False),
        sa.Column("app_redirect", sa.String(), nullable=False),
        sa.Column("app_state", sa.String(), server_default="", nullable=False),
        sa.Column("app_challenge", sa.String(), nullable=False),
        sa.Column("language", sa.String(), server_default="id", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exchange_hash", sa.LargeBinary(), nullable=True),
        sa.Column("proven_enc", sa.LargeBinary(), nullable=True),
        sa.Column("exchanged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_national_logins")),
        sa.UniqueConstraint("exchange_hash", name=op.f("uq_national_logins_exchange_hash")),
        sa.UniqueConstraint("state_hash", name=op.f("uq_national_logins_state_hash")),
    )
    op.create_index(op.f("ix_national_logins_expires_at"), "national_logins", ["expires_at"], unique=False)
    op.create_table(
        "national_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("subject_index", sa.LargeBinary(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_national_links_citizen_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_national_links")),
    )
    op.create_index(op.f("ix_national_links_citizen_id"), "national_links", ["citizen_id"], unique=False)
    op.create_index("uq_national_links_subject", "national_links", ["provider", "subject_index"], unique=True)
    asks = "current_setting('loket.asks', true)"
    own = f"{asks} IN ('service', 'citizen:' || citizen_id)"
    op.execute(f"CREATE POLICY asker ON national_links USING ({own}) WITH CHECK ({own})")
    op.execute("ALTER TABLE national_links ENABLE ROW LEVEL SECURITY")
