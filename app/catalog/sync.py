"""Brings the tables of search up to the catalogue: called at start, migrate and seed; writes only what has changed."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalog.catalog import Catalog, CatalogService
from app.catalog.words import also_called, phrase_of

# One writer at a time: every process of a start may call.
_LOCK = 7_216_540_119

_WRITE_ENTRY = text("""
INSERT INTO catalog_entries (slug, agency, life_events, phrases, words, digest)
VALUES (:slug, :agency, :life_events, :phrases,
    setweight(to_tsvector('indonesian', :title_id), 'A') || setweight(to_tsvector('english', :title_en), 'A')
    || setweight(to_tsvector('indonesian', :names), 'B') || setweight(to_tsvector('english', :names), 'B')
    || setweight(to_tsvector('indonesian', :about_id), 'C') || setweight(to_tsvector('english', :about_en), 'C')
    || setweight(to_tsvector('indonesian', :rest_id), 'D') || setweight(to_tsvector('english', :rest_en), 'D'),
    :digest)
ON CONFLICT (slug) DO UPDATE SET agency = excluded.agency, life_events = excluded.life_events,
    phrases = excluded.phrases, words = excluded.words, digest = excluded.digest
""")

_WRITE_WORDS = text("""
INSERT INTO catalog_words (word, stem_id, stem_en)
SELECT word,
    coalesce((ts_lexize('indonesian_stem', word))[1], word), coalesce((ts_lexize('english_stem', word))[1], word)
FROM unnest(CAST(:words AS text[])) AS word
ON CONFLICT (word) DO NOTHING
""")


async def sync(session: AsyncSession, catalog: Catalog) -> int:
    """Make search find what the catalogue has; returns how many entries were written or removed."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    rows = [_entry(service, catalog) for service in catalog.services()]
    stored = await session.execute(text("SELECT slug, digest FROM catalog_entries"))
    known = {row.slug: row.digest for row in stored}
    changed = [row for row in rows if known.get(row["slug"]) != row["digest"]]
    gone = sorted(known.keys() - {row["slug"] for row in rows})
    if changed:
        await session.execute(_WRITE_ENTRY, changed)
    if gone:
        await session.execute(text("DELETE FROM catalog_entries WHERE slug = ANY(:gone)"), {"gone": gone})
    if changed or gone:
        await _write_words(session, rows)
        # Without figures of the new tables the first searches would read them from end to end.
        await session.execute(text("ANALYZE catalog_entries, catalog_words"))
    return len(changed) + len(gone)


def _entry(service: CatalogService, catalog: Catalog) -> dict[str, Any]:
    about, agency = service.manifest, catalog.agency(service.agency_id)
    own_names = [phrase_of(name) for name in (about.title.id, about.title.en, *about.synonyms)]
    rest = [*(requirement.text for requirement in about.requirements), about.product]
    row: dict[str, Any] = {
        "slug": service.slug,
        "agency": service.agency_id,
        "life_events": list(about.life_events),
        "phrases": own_names,
        "title_id": phrase_of(about.title.id),
        "title_en": phrase_of(about.title.en),
        "names": _joined([*about.synonyms, *also_called(own_names)]),
        "about_id": _joined([about.summary.id, agency.name.id, agency.short_name]),
        "about_en": _joined([about.summary.en, agency.name.en]),
        "rest_id": _joined([part.id for part in rest]),
        "rest_en": _joined([part.en for part in rest]),
    }
    # The statements' own form counts too: an entry made in another way is made again.
    made_from = msgspec.json.encode([row, _WRITE_ENTRY.text], order="sorted")
    return {**row, "digest": hashlib.sha256(made_from).hexdigest()}


def _joined(texts: Sequence[str]) -> str:
    return " ".join(phrase_of(part) for part in texts)


async def _write_words(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    texts = (row[part] for row in rows for part in row if part.startswith(("title_", "names", "about_", "rest_")))
    words = sorted({word for part in texts for word in part.split()})
    await session.execute(text("DELETE FROM catalog_words WHERE NOT word = ANY(:words)"), {"words": words})
    await session.execute(_WRITE_WORDS, {"words": words})
