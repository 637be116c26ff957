"""Officers of the agencies and their sessions."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    _officers()
    _sessions()


def _officers() -> None:
    op.create_table(
        "officers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("full_name_enc", sa.LargeBinary(), nullable=False),
        sa.Column("phone_enc", sa.LargeBinary(), nullable=True),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="invited", nullable=False),
        sa.Column("language", sa.String(), server_default="id", nullable=False),
        sa.Column("password_hash", sa.String(), server_default="", nullable=False),
        sa.Column("totp_enc", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed_codes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("invitation_hash", sa.LargeBinary(), nullable=True),
        sa.Column("invited_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role in ('operator', 'supervisor', 'agency_head', 'city_admin', 'auditor')", name=op.f("ck_officers_role")
        ),
        sa.CheckConstraint("state in ('invited', 'active', 'disabled')", name=op.f("ck_officers_state")),
        sa.CheckConstraint("language in ('id', 'en')", name=op.f("ck_officers_language")),
        sa.CheckConstraint("(role in ('city_admin', 'auditor')) = (agency = '')", name=op.f("ck_officers_agency")),
        sa.CheckConstraint(
            "state <> 'active' or (password_hash <> '' and totp_enc is not null)",
            name=op.f("ck_officers_two_factors"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officers")),
        sa.UniqueConstraint("name", name=op.f("uq_officers_name")),
        sa.UniqueConstraint("invitation_hash", name=op.f("uq_officers_invitation_hash")),
    )
    op.create_index("ix_officers_agency_name", "officers", ["agency", "name"])


def _sessions() -> None:
    op.create_table(
        "officer_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("officer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("cookie_hash", sa.LargeBinary(), nullable=True),
        sa.Column("device_name", sa.String(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_because", sa.String(), server_default="", nullable=False),
        sa.CheckConstraint("kind in ('page', 'token')", name=op.f("ck_officer_sessions_kind")),
        sa.CheckConstraint("(kind = 'page') = (cookie_hash is not null)", name=op.f("ck_officer_sessions_cookie")),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["officers.id"], name=op.f("fk_officer_sessions_officer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_sessions")),
        sa.UniqueConstraint("cookie_hash", name=op.f("uq_officer_sessions_cookie_hash")),
    )
    op.create_index("ix_officer_sessions_expires_at", "officer_sessions", ["expires_at"])
    op.create_index(
        "ix_officer_sessions_officer_id_id",
        "officer_sessions",
        ["officer_id", "id"],
        postgresql_where=sa.text("revoked_at is null"),
    )
