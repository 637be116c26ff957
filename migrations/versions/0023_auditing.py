"""What an auditor searches the record by, and verifications of it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | Sequence[str] | None = "0022"


def upgrade() -> None:
    # The record is written by every request: its indexes are built beside that, outside of a transaction.
    with op.get_context().autocommit_block():
        for columns in (["at", "id"], ["actor_id", "at", "id"], ["action", "at", "id"], ["object_id", "at", "id"]):
            name = op.f(f"ix_audit_rows_{'_'.join(columns)}")
            op.create_index(name, "audit_rows", columns, if_not_exists=True, postgresql_concurrently=True)
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "audit_checks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("fault", sa.String(), nullable=True),
        sa.Column("fault_position", sa.BigInteger(), nullable=True),
        sa.Column("anchors", sa.Integer(), nullable=True),
        sa.Column("anchored_position", sa.BigInteger(), nullable=True),
        sa.Column("anchored_digest", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("outcome IN ('whole', 'broken', 'failed')", name=op.f("ck_audit_checks_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checks")),
    )
    op.create_index(
        "uq_audit_checks_under_way",
        "audit_checks",
        [sa.text("(outcome IS NULL)")],
        unique=True,
        postgresql_where=sa.text("outcome IS NULL"),
    )
