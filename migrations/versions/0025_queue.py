"""Officers' queue: who a case is given to, what they did with it, filters they keep, clocks put before supervisors."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0025"
down_revision: str | Sequence[str] | None = "0024"

_OPEN = "submitted_at IS NOT NULL AND status IN ('submitted', 'in_review', 'needs_citizen')"
_BY_CASE = "current_setting('loket.asks', true) = 'service' OR EXISTS (SELECT FROM cases WHERE cases.id = case_id)"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("cases", sa.Column("assignee_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_cases_assignee_id"), "cases", "officers", ["assignee_id"], ["id"], ondelete="SET NULL"
    )
    _indexes()
    op.create_table(
        "case_work",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("officer", sa.String(), server_default="", nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), server_default="", nullable=False),
        sa.Column("words_enc", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('note', 'assigned', 'released', 'asked', 'refresh_asked', 'soon_late', 'late')",
            name=op.f("ck_case_work_kind"),
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_work_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_work")),
    )
    op.create_index(op.f("ix_case_work_case_id_id"), "case_work", ["case_id", "id"], unique=False)
    op.create_table(
        "officer_views",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("officer_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("filters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["officers.id"], name=op.f("fk_officer_views_officer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_views")),
        sa.UniqueConstraint("officer_id", "name", name=op.f("uq_officer_views_officer_id_name")),
    )
    op.create_table(
        "case_escalations",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint("stage IN ('soon_late', 'late')", name=op.f("ck_case_escalations_stage")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_escalations_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("case_id", "stage", name=op.f("pk_case_escalations")),
    )
    op.create_index(
        "ix_case_escalations_unseen",
        "case_escalations",
        ["agency", "at", "case_id"],
        unique=False,
        postgresql_where=sa.text("seen_at IS NULL"),
    )
    for table in ("case_work", "case_escalations"):
        op.execute(f"CREATE POLICY asker ON {table} USING ({_BY_CASE}) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def _indexes() -> None:
    """Each list of the queue reads its page from one of these, in order."""
    handed = "submitted_at IS NOT NULL"
    newest = sa.text("id DESC")
    listed: Sequence[tuple[str, Sequence[str | sa.TextClause], str]] = (
        ("ix_cases_handed", ["agency", newest], handed),
        ("ix_cases_handed_status", ["agency", "status", newest], handed),
        ("ix_cases_handed_service", ["service", newest], handed),
        ("ix_cases_open_due", ["agency", "due_on", "id"], _OPEN),
        ("ix_cases_open_unassigned", ["agency", newest], f"assignee_id IS NULL AND {_OPEN}"),
        ("ix_cases_assignee_id_id", ["assignee_id", newest], "assignee_id IS NOT NULL"),
        (
            "ix_cases_undelivered",
            ["agency", "delivery_state", newest],
            "submitted_at IS NOT NULL AND delivery_state <> 'delivered'",
        ),
    )
    for name, columns, where in listed:
        op.create_index(name, "cases", columns, unique=False, postgresql_where=sa.text(where))
