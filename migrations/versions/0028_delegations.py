"""Delegations; and what of a citizen's things row-level security shows to who acts for them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | Sequence[str] | None = "0027"

_ASKS = "current_setting('loket.asks', true)"
_PART = f"split_part({_ASKS}, ':', {{}})"
# `delegate:<subject>:<delegation>:<services>`, as app.asking.as_delegate writes it.
_ACTS_FOR = f"{_PART.format(1)} = 'delegate' AND {_PART.format(2)} = {{}}::text"
_COVERED = f"service = ANY(string_to_array({_PART.format(4)}, ','))"
_POLICIES = {
    "cases": f"{_ACTS_FOR.format('citizen_id')} AND {_COVERED}",
    "attachments": f"{_ACTS_FOR.format('citizen_id')} AND {_PART.format(3)} = delegation_id::text",
    "idempotency_keys": f"{_ACTS_FOR.format('citizen_id')} AND {_PART.format(3)} = split_part(key, '|', 1)",
    "consents": f"{_ACTS_FOR.format('citizen_id')} AND case_id IS NOT NULL",
}
_SEEN_ONLY = {"citizens": _ACTS_FOR.format("id"), "contacts": _ACTS_FOR.format("citizen_id")}
# Whom it is asked of sees it before it names them.
_PARTIES = f"""
{_ASKS} IN ('service', 'city', 'citizen:' || subject_id, 'citizen:' || delegate_id, 'agency:' || nullif(agency, ''))
OR EXISTS (SELECT FROM citizens WHERE nik_index = subject_index AND {_ASKS} = 'citizen:' || citizens.id)
"""
_BY_DELEGATION = f"CASE WHEN {_PART.format(1)} = 'delegate' THEN {_PART.format(3)}::uuid END"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    _delegations()
    op.add_column("attachments", sa.Column("delegation_id", sa.Uuid(), nullable=True))
    # Set by PostgreSQL itself, so that no way of sending a file can forget it; what is there already has none.
    op.alter_column("attachments", "delegation_id", server_default=sa.text(_BY_DELEGATION))
    for table, shown in _POLICIES.items():
        op.execute(f"CREATE POLICY delegate ON {table} USING ({shown}) WITH CHECK ({shown})")
    for table, shown in _SEEN_ONLY.items():
        op.execute(f"CREATE POLICY delegate ON {table} FOR SELECT USING ({shown})")
    op.execute(f"CREATE POLICY asker ON delegations USING ({_PARTIES}) WITH CHECK ({_PARTIES})")
    op.execute("ALTER TABLE delegations ENABLE ROW LEVEL SECURITY")


def _delegations() -> None:
    op.create_table(
        "delegations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="asked", nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("subject_index", sa.LargeBinary(), nullable=False),
        sa.Column("person_enc", sa.LargeBinary(), nullable=True),
        sa.Column("delegate_id", sa.Uuid(), nullable=True),
        sa.Column("officer_id", sa.Uuid(), nullable=True),
        sa.Column("agency", sa.String(), server_default="", nullable=False),
        sa.Column("services", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("days", sa.SmallInteger(), nullable=False),
        sa.Column("asked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_by", sa.String(), server_default="", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("relation in ('elder', 'other', 'child', 'counter')", name=op.f("ck_delegations_relation")),
        sa.CheckConstraint("state in ('asked', 'active', 'refused', 'ended')", name=op.f("ck_delegations_state")),
        sa.CheckConstraint("(delegate_id is null) <> (officer_id is null)", name=op.f("ck_delegations_one_delegate")),
        sa.CheckConstraint(
            "state <> 'active' or (subject_id is not null and granted_at is not null and expires_at is not null)",
            name=op.f("ck_delegations_granted"),
        ),
        sa.CheckConstraint("cardinality(services) > 0", name=op.f("ck_delegations_services")),
        sa.ForeignKeyConstraint(
            ["delegate_id"], ["citizens.id"], name=op.f("fk_delegations_delegate_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["officers.id"], name=op.f("fk_delegations_officer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["citizens.id"], name=op.f("fk_delegations_subject_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegations")),
    )
    for column in ("delegate_id", "subject_id", "officer_id"):
        op.create_index(f"ix_delegations_{column}_id", "delegations", [column, "id"])
    op.create_index(
        "ix_delegations_asked", "delegations", ["subject_index"], postgresql_where=sa.text("state = 'asked'")
    )
