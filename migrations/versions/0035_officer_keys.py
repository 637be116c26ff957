"""Idempotency keys of officers: what creates something is carried out once over the API as well."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0035"
down_revision: str | Sequence[str] | None = "0034"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "officer_keys",
        sa.Column("officer_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column(
            "headers",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("body_enc", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["officers.id"], name=op.f("fk_officer_keys_officer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("officer_id", "key", name=op.f("pk_officer_keys")),
    )
    op.create_index("ix_officer_keys_created_at", "officer_keys", ["created_at"])
