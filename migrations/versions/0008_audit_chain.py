"""The audit's hash chain in a table of its own, so that the record itself never needs an UPDATE."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"

# Also where only one role is given, which owns its tables and could do anything: then at least not by mistake.
_REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: it only grows', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "audit_links",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_links")),
        sa.UniqueConstraint("row_id", name=op.f("uq_audit_links_row_id")),
    )
    # A constant first, which rewrites nothing: rows of before count as of the oldest transaction.
    op.add_column("audit_rows", sa.Column("transaction_id", sa.BigInteger(), server_default="0", nullable=False))
    op.alter_column("audit_rows", "transaction_id", server_default=sa.text("((pg_current_xact_id())::text)::bigint"))
    op.create_index("ix_audit_rows_transaction_id_id", "audit_rows", ["transaction_id", "id"])
    # Nothing ever wrote or read these, so there is nobody to wait for before they go.
    op.drop_index("ix_audit_rows_unchained", "audit_rows")
    for column in ("position", "previous", "digest"):
        op.drop_column("audit_rows", column)
    op.execute(_REFUSE)
    for table in ("audit_rows", "audit_links"):
        op.execute(
            f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
