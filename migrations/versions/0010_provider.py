"""Agencies' applications that log citizens in with us: what each may know, and the codes and tokens it holds."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    _proofs()
    _clients()
    _grants()
    _notices()
    _browsers()
    _authorizations()
    _tokens()


def _proofs() -> None:
    op.create_table(
        "client_assertions",
        sa.Column("jti_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("jti_hash", name=op.f("pk_client_assertions")),
    )
    op.create_index(op.f("ix_client_assertions_expires_at"), "client_assertions", ["expires_at"], unique=False)


def _clients() -> None:
    op.create_table(
        "clients",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("purpose_id", sa.String(), nullable=False),
        sa.Column("purpose_en", sa.String(), nullable=False),
        sa.Column("legal_basis", sa.String(), server_default="", nullable=False),
        sa.Column("sector", sa.String(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("redirect_uris", postgresql.JSONB(), nullable=False),
        sa.Column("post_logout_uris", postgresql.JSONB(), nullable=False),
        sa.Column("backchannel_logout_uri", sa.String(), server_default="", nullable=False),
        sa.Column("auth_method", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=True),
        sa.Column("public_keys", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "auth_method in ('client_secret_basic', 'private_key_jwt')", name=op.f("ck_clients_auth_method")
        ),
        sa.CheckConstraint(
            "not scopes @> '[\"nik\"]'::jsonb or legal_basis <> ''", name=op.f("ck_clients_nik_needs_basis")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
    )


def _grants() -> None:
    op.create_table(
        "client_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_client_grants_citizen_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_client_grants_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_grants")),
    )
    op.create_index(op.f("ix_client_grants_client_id"), "client_grants", ["client_id"], unique=False)
    op.create_index(
        "uq_client_grants_standing",
        "client_grants",
        ["citizen_id", "client_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at is null"),
    )


def _notices() -> None:
    op.create_table(
        "logout_notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.String(), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("outcome in ('', 'told', 'refused', 'given_up')", name=op.f("ck_logout_notices_outcome")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_logout_notices_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logout_notices")),
    )
    op.create_index(op.f("ix_logout_notices_client_id"), "logout_notices", ["client_id"], unique=False)
    op.create_index(op.f("ix_logout_notices_created_at"), "logout_notices", ["created_at"], unique=False)
    op.create_index("uq_logout_notices_session", "logout_notices", ["session_id", "client_id"], unique=True)


def _browsers() -> None:
    op.create_table(
        "browser_logins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_browser_logins_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_browser_logins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_browser_logins_token_hash")),
    )
    op.create_index(op.f("ix_browser_logins_expires_at"), "browser_logins", ["expires_at"], unique=False)
    op.create_index(op.f("ix_browser_logins_session_id"), "browser_logins", ["session_id"], unique=False)


def _authorizations() -> None:
    op.create_table(
        "client_authorizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("nonce", sa.String(), server_default="", nullable=False),
        sa.Column("redirect_uri", sa.String(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_challenge", sa.String(), nullable=False),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assurance_level", sa.Integer(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_client_authorizations_citizen_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_client_authorizations_client_id")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["client_grants.id"], name=op.f("fk_client_authorizations_grant_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_client_authorizations_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_authorizations")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_client_authorizations_code_hash")),
    )
    op.create_index(op.f("ix_client_authorizations_citizen_id"), "client_authorizations", ["citizen_id"], unique=False)
    op.create_index(op.f("ix_client_authorizations_client_id"), "client_authorizations", ["client_id"], unique=False)
    op.create_index(op.f("ix_client_authorizations_grant_id"), "client_authorizations", ["grant_id"], unique=False)
    op.create_index(op.f("ix_client_authorizations_session_id"), "client_authorizations", ["session_id"], unique=False)


def _tokens() -> None:
    op.create_table(
        "client_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind in ('access', 'refresh')", name=op.f("ck_client_tokens_kind")),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["client_authorizations.id"],
            name=op.f("fk_client_tokens_authorization_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_client_tokens_token_hash")),
    )
    op.create_index(op.f("ix_client_tokens_authorization_id"), "client_tokens", ["authorization_id"], unique=False)
    op.create_index(op.f("ix_client_tokens_expires_at"), "client_tokens", ["expires_at"], unique=False)
