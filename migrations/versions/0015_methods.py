"""Ways to prove oneself: passkeys, step-up, recovery, a new phone; where a device was last used."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0015"
down_revision: str | Sequence[str] | None = "0014"

_PURPOSES = "'registration', 'login', 'recovery', 'step_up', 'passkey', 'new_phone', 'old_phone'"

_OWN = "current_setting('loket.asks', true) IN ('service', 'citizen:' || citizen_id)"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.drop_constraint(op.f("ck_challenges_purpose"), "challenges")
    op.create_check_constraint(op.f("ck_challenges_purpose"), "challenges", f"purpose in ({_PURPOSES})")
    op.add_column("challenges", sa.Column("nik_index", sa.LargeBinary(), nullable=True))
    op.add_column("contacts", sa.Column("proven_at", sa.DateTime(timezone=True), nullable=True))
    _sessions()
    _passkeys()
    _phone_changes()
    for table in ("passkeys", "phone_changes"):
        op.execute(f"CREATE POLICY asker ON {table} USING ({_OWN}) WITH CHECK ({_OWN})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def _sessions() -> None:
    op.add_column("sessions", sa.Column("network", sa.String(), server_default="", nullable=False))
    op.add_column("sessions", sa.Column("raised_until", sa.DateTime(timezone=True), nullable=True))
    # In two steps: who is logged in by now has not just proven themselves.
    op.add_column("sessions", sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("sessions", "proved_at", server_default=sa.text("now()"))


def _passkeys() -> None:
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), server_default="", nullable=False),
        sa.Column(
            "transports", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_passkeys_citizen_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_passkeys_citizen_id"), "passkeys", ["citizen_id"])


def _phone_changes() -> None:
    op.create_table(
        "phone_changes",
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("phone_enc", sa.LargeBinary(), nullable=False),
        sa.Column("new_challenge_id", sa.Uuid(), nullable=True),
        sa.Column("old_challenge_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["citizen_id"], ["citizens.id"], name=op.f("fk_phone_changes_citizen_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["new_challenge_id"], ["challenges.id"], name=op.f("fk_phone_changes_new_challenge_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["old_challenge_id"], ["challenges.id"], name=op.f("fk_phone_changes_old_challenge_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("citizen_id", name=op.f("pk_phone_changes")),
    )
    op.create_index(
        "ix_phone_changes_due_at", "phone_changes", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
