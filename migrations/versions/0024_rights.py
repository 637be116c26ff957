"""Citizens' rights: requests and copies, restricted and deleted accounts; the words and the proof of each consent."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0024"
down_revision: str | Sequence[str] | None = "0023"

_ASKS = "current_setting('loket.asks', true)"
_OWN = f"{_ASKS} IN ('service', 'city', 'citizen:' || citizen_id)"
_OF_REQUEST = f"{_ASKS} = 'service' OR EXISTS (SELECT FROM data_requests WHERE data_requests.id = request_id)"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("citizens", sa.Column("restricted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("citizens", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("consents", sa.Column("session_id", sa.Uuid(), nullable=True))
    op.create_table(
        "consent_wordings",
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("words_id", sa.String(), nullable=False),
        sa.Column("words_en", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_from", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("purpose", "version", name=op.f("pk_consent_wordings")),
    )
    _requests()
    _copies()


def _requests() -> None:
    op.create_table(
        "data_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("citizen_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default="received", nullable=False),
        sa.Column("field", sa.String(), server_default="", nullable=False),
        sa.Column("wanted_enc", sa.LargeBinary(), nullable=True),
        sa.Column("code", sa.String(), server_default="", nullable=False),
        sa.Column("reason_enc", sa.LargeBinary(), nullable=True),
        sa.Column("places", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scrubbed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal_proposed_by", sa.Uuid(), nullable=True),
        sa.Column("refused_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind in ('copy', 'correction', 'deletion', 'restriction')", name="kind"),
        sa.CheckConstraint("state in ('received', 'waiting', 'done', 'refused', 'cancelled')", name="state"),
        sa.CheckConstraint("refused_by is null or refused_by <> refusal_proposed_by", name="four_eyes"),
        sa.CheckConstraint("(ended_at is null) = (state in ('received', 'waiting'))", name="ended"),
        sa.ForeignKeyConstraint(["citizen_id"], ["citizens.id"], name=op.f("fk_data_requests_citizen_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_requests")),
    )
    op.create_index("ix_data_requests_citizen_id_id", "data_requests", ["citizen_id", "id"])
    op.create_index("ix_data_requests_open", "data_requests", ["due_at"], postgresql_where=sa.text("ended_at is null"))
    op.create_index(
        "uq_data_requests_open",
        "data_requests",
        ["citizen_id", "kind"],
        unique=True,
        postgresql_where=sa.text("ended_at is null and kind <> 'correction'"),
    )
    op.execute(f"CREATE POLICY asker ON data_requests USING ({_OWN}) WITH CHECK ({_OWN})")
    op.execute("ALTER TABLE data_requests ENABLE ROW LEVEL SECURITY")


def _copies() -> None:
    op.create_table(
        "data_copies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["data_requests.id"], name=op.f("fk_data_copies_request_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_copies")),
    )
    op.create_index(op.f("ix_data_copies_request_id_part"), "data_copies", ["request_id", "part"], unique=True)
    op.create_index(op.f("ix_data_copies_expires_at"), "data_copies", ["expires_at"])
    op.execute(f"CREATE POLICY asker ON data_copies USING ({_OF_REQUEST}) WITH CHECK ({_OF_REQUEST})")
    op.execute("ALTER TABLE data_copies ENABLE ROW LEVEL SECURITY")
