"""What agencies' systems told about nothing of ours, kept until it is or until an officer dismisses it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0030"
down_revision: str | Sequence[str] | None = "0029"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "stray_callbacks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("sign_enc", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), server_default="waiting", nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("officer", sa.String(), nullable=True),
        sa.Column("reason_enc", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("about IN ('case', 'message')", name=op.f("ck_stray_callbacks_about")),
        sa.CheckConstraint("state IN ('waiting', 'matched', 'dismissed')", name=op.f("ck_stray_callbacks_state")),
        sa.UniqueConstraint("backend", "digest", name=op.f("uq_stray_callbacks_backend_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stray_callbacks")),
    )
    op.create_index(op.f("ix_stray_callbacks_received_at"), "stray_callbacks", ["received_at"])
    op.create_index(
        "ix_stray_callbacks_waiting",
        "stray_callbacks",
        ["agency", "id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )
    own = "current_setting('loket.asks', true) IN ('service', 'city', 'agency:' || agency)"
    op.execute(f"CREATE POLICY asker ON stray_callbacks USING ({own}) WITH CHECK ({own})")
    op.execute("ALTER TABLE stray_callbacks ENABLE ROW LEVEL SECURITY")
