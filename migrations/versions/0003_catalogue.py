"""The catalogue's search tables and what is measured of backends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"


def upgrade() -> None:
    # A migration that waits for a lock makes everyone behind it wait too: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '3s'")
    # Trusted since PostgreSQL 13: the owner of the database may make it.
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.create_table(
        "backend_health",
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consecutive_failures", sa.Integer(), nullable=False),
        sa.Column("last_seconds", sa.Double(), nullable=False),
        sa.Column("recent_calls", sa.Double(), nullable=False),
        sa.Column("recent_failures", sa.Double(), nullable=False),
        sa.Column("recent_seconds", sa.Double(), nullable=False),
        sa.CheckConstraint("consecutive_failures >= 0", name=op.f("ck_backend_health_consecutive_failures")),
        sa.CheckConstraint(
            "recent_calls >= 0 AND recent_failures >= 0 AND recent_seconds >= 0", name=op.f("ck_backend_health_recent")
        ),
        sa.PrimaryKeyConstraint("backend", name=op.f("pk_backend_health")),
    )
    op.create_table(
        "catalog_entries",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("agency", sa.String(), nullable=False),
        sa.Column("life_events", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("phrases", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_catalog_entries")),
    )
    op.create_index(
        "ix_catalog_entries_words",
        "catalog_entries",
        ["words"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_table(
        "catalog_words",
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("stem_id", sa.String(), nullable=False),
        sa.Column("stem_en", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_catalog_words")),
    )
    op.create_index("ix_catalog_words_stem_en", "catalog_words", ["stem_en"], unique=False)
    op.create_index("ix_catalog_words_stem_id", "catalog_words", ["stem_id"], unique=False)
    op.create_index(
        "ix_catalog_words_word_prefix",
        "catalog_words",
        ["word"],
        unique=False,
        postgresql_ops={"word": "text_pattern_ops"},
    )
    op.create_index(
        "ix_catalog_words_word_trgm",
        "catalog_words",
        ["word"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"word": "gin_trgm_ops"},
        postgresql_with={"fastupdate": "off"},
    )
