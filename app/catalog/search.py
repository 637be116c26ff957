"""Search over the catalogue in PostgreSQL: word forms by stems, other names by synonyms, typing slips by trigrams."""

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalog.words import question

# A word this unlike every known one is not a slip of the pen. 0.4 takes prawat for perawat, reklme for reklame.
LEAST_LIKENESS = 0.4

# How many of the words asked for may be missing: none, one, all but one.
Leniency = Literal["all", "most", "any"]
_LENIENCIES: tuple[Leniency, ...] = ("all", "most", "any")


class SearchCursor(msgspec.Struct, frozen=True, array_like=True):
    """The leniency of the first page, and the last row's place and slug."""

    leniency: Leniency
    place: Annotated[int, msgspec.Meta(ge=-10_000_000, le=10_000_000)]
    slug: str


class Search(msgspec.Struct, frozen=True):
    """What is looked for. None: not narrowed by it."""

    text: str
    agency: str | None = None
    life_event: str | None = None
    limit: int = 20
    after: SearchCursor | None = None


class Hits(msgspec.Struct, frozen=True):
    """Slugs, best first. `after` is where the next page begins, None at the end."""

    slugs: Sequence[str] = ()
    after: SearchCursor | None = None


async def search(session: AsyncSession, wanted: Search) -> Hits:
    """The services that fit best: those with every word asked for, else with most, else with any. None for nonsense."""
    asked = question(wanted.text)
    terms = await _terms(session, asked.words) if asked.words else []
    if not terms:
        return Hits()
    for leniency in _leniencies(wanted.after, len(terms)):
        hits = await _page(session, wanted, asked.phrases, _Query(terms, leniency))
        if hits.slugs:
            return hits
    return Hits()


def _leniencies(after: SearchCursor | None, terms: int) -> Sequence[Leniency]:
    """In which order to try. A later page keeps to what the first one found."""
    if after:
        return (after.leniency,)
    return _LENIENCIES[:terms]


class _Term(msgspec.Struct, frozen=True):
    """One word as tsquery: anywhere, in a title, in a title or synonym."""

    anywhere: str
    title: str
    named: str


# A word that no service has in any form is taken for the beginning of one that is, or for a slip of the pen.
_TERMS = text("""
WITH asked AS (SELECT word, n FROM unnest(CAST(:words AS text[])) WITH ORDINALITY AS asked(word, n)),
meant AS MATERIALIZED (
    SELECT n, CASE
        WHEN EXISTS (
            SELECT FROM catalog_words known
            WHERE known.word = asked.word
               OR known.stem_id = (ts_lexize('indonesian_stem', asked.word))[1]
               OR known.stem_en = (ts_lexize('english_stem', asked.word))[1]
        ) THEN ARRAY[asked.word]
        ELSE coalesce(
            (SELECT array_agg(word) FROM (
                SELECT known.word FROM catalog_words known
                WHERE known.word ~>=~ asked.word AND known.word ~<~ (asked.word || '{') AND length(asked.word) > 2
                ORDER BY length(known.word), known.word LIMIT 5) begun),
            (SELECT array_agg(word) FROM (
                SELECT known.word FROM catalog_words known
                WHERE known.word % asked.word AND similarity(known.word, asked.word) >= :likeness
                ORDER BY similarity(known.word, asked.word) DESC, known.word LIMIT 3) alike))
        END AS words
    FROM asked),
spelled AS MATERIALIZED (
    SELECT n, array_to_string(words, ' | ') AS a,
        array_to_string(words, '\\:A | ') || '\\:A' AS t, array_to_string(words, '\\:AB | ') || '\\:AB' AS s
    FROM meant WHERE words IS NOT NULL)
SELECT
    CAST(to_tsquery('indonesian', a) || to_tsquery('english', a) AS text) AS anywhere,
    CAST(to_tsquery('indonesian', t) || to_tsquery('english', t) AS text) AS title,
    CAST(to_tsquery('indonesian', s) || to_tsquery('english', s) AS text) AS named
FROM spelled
ORDER BY n
""")


async def _terms(session: AsyncSession, words: Sequence[str]) -> list[_Term]:
    found = await session.execute(_TERMS, {"words": list(words), "likeness": LEAST_LIKENESS})
    return [_Term(row.anywhere, row.title, row.named) for row in found]


class _Query(msgspec.Struct, frozen=True):
    terms: Sequence[_Term]
    leniency: Leniency

    def text(self, part: Literal["anywhere", "title", "named"]) -> str:
        """As to_tsquery's result reads: the terms joined as the leniency says."""
        words = [f"({getattr(term, part)})" for term in self.terms]
        if self.leniency == "any":
            return " | ".join(words)
        if self.leniency == "all":
            return " & ".join(words)
        return " | ".join(f"({' & '.join(some)})" for some in combinations(words, max(1, len(words) - 1)))


# place: the question is a whole title or synonym; its words are in the title; in title and synonyms; anywhere. Within
# that by ts_rank. Whole numbers, so that a cursor's comparison is exact.
_PAGE = text("""
SELECT place, slug FROM (
    SELECT entry.slug, 1000000 * CASE
            WHEN entry.phrases && CAST(:phrases AS text[]) THEN 0
            WHEN entry.words @@ CAST(CAST(:title AS text) AS tsquery) THEN 1
            WHEN entry.words @@ CAST(CAST(:named AS text) AS tsquery) THEN 2
            ELSE 3 END
        - CAST(900000 * least(1, ts_rank(entry.words, CAST(CAST(:anywhere AS text) AS tsquery))) AS integer) AS place
    FROM catalog_entries entry
    WHERE entry.words @@ CAST(CAST(:anywhere AS text) AS tsquery)
      AND (CAST(:agency AS text) IS NULL OR entry.agency = :agency)
      AND (CAST(:life_event AS text) IS NULL OR :life_event = ANY(entry.life_events))
) hits
WHERE CAST(:after_place AS integer) IS NULL OR (place, slug) > (:after_place, CAST(:after_slug AS text))
ORDER BY place, slug
LIMIT :limit
""")


async def _page(session: AsyncSession, wanted: Search, phrases: Sequence[str], query: _Query) -> Hits:
    """One page, and whether there is more."""
    values: dict[str, Any] = {
        "anywhere": query.text("anywhere"),
        "title": query.text("title"),
        "named": query.text("named"),
        "phrases": list(phrases),
        "agency": wanted.agency,
        "life_event": wanted.life_event,
        "after_place": wanted.after.place if wanted.after else None,
        "after_slug": wanted.after.slug if wanted.after else None,
        "limit": wanted.limit + 1,
    }
    rows = [(row.place, row.slug) for row in await session.execute(_PAGE, values)]
    page = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return Hits([slug for _, slug in page], SearchCursor(query.leniency, *page[-1]) if more else None)
