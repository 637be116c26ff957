"""Tables of the catalogue: what search looks through, and what has been measured of the agencies' systems."""

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, Index, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.personal import NOBODYS


class CatalogEntry(Base):
    """One service as search sees it, written from the manifests by app.catalog.search; its texts stay in them."""

    __tablename__ = "catalog_entries"
    personal = NOBODYS
    # Written at deployments only: without the pending list every search reads the index as it is meant to be.
    __table_args__ = (
        Index("ix_catalog_entries_words", "words", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    slug: Mapped[str] = mapped_column(primary_key=True)
    agency: Mapped[str]
    life_events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Whole titles and synonyms, normalised: a question that is exactly one of them is answered first.
    phrases: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Indonesian and English words by weight: A titles, B synonyms, C summary and agency, D the service standard.
    words: Mapped[str] = mapped_column(TSVECTOR)
    # Digest of what the row was made from: a start that changes nothing writes nothing.
    digest: Mapped[str]


class CatalogWord(Base):
    """A word of titles and synonyms with its stems, so that a word nobody wrote that way can be set right."""

    __tablename__ = "catalog_words"
    personal = NOBODYS
    __table_args__ = (
        Index(
            "ix_catalog_words_word_trgm",
            "word",
            postgresql_using="gin",
            postgresql_ops={"word": "gin_trgm_ops"},
            postgresql_with={"fastupdate": "off"},
        ),
        Index("ix_catalog_words_word_prefix", "word", postgresql_ops={"word": "text_pattern_ops"}),
        Index("ix_catalog_words_stem_id", "stem_id"),
        Index("ix_catalog_words_stem_en", "stem_en"),
    )

    word: Mapped[str] = mapped_column(primary_key=True)
    stem_id: Mapped[str]
    stem_en: Mapped[str]


class BackendHealth(Base):
    """What calls to one backend came to lately. The three sums fade with time: half their weight every two minutes."""

    __tablename__ = "backend_health"
    personal = NOBODYS
    __table_args__ = (
        CheckConstraint("consecutive_failures >= 0", name="consecutive_failures"),
        CheckConstraint(
            "recent_calls >= 0 AND recent_failures >= 0 AND recent_seconds >= 0",
            name="recent",
        ),
    )

    backend: Mapped[str] = mapped_column(primary_key=True)
    ok_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    measured_at: Mapped[datetime]
    consecutive_failures: Mapped[int]
    last_seconds: Mapped[float]
    recent_calls: Mapped[float]
    recent_failures: Mapped[float]
    recent_seconds: Mapped[float]
