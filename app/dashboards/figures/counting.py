"""Counting cases into cells: what changed lately every few seconds, and now and then every case against its events."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.cases.states import FINAL
from app.catalog.catalog import Catalog
from app.dashboards.figures.facts import Cell, Facts
from app.database import Connection, Database
from app.surveys.elements import COLUMNS

log = logging.getLogger("loket.figures")

# Rules of facts.py: other ones count everything anew.
VERSION = 2
# No transaction of the product is open as long as this: an event that bears an earlier time has been seen.
OVERLAP = timedelta(minutes=5)
# What neither came lately nor with a time of lately is found by comparing.
COMPARE_EVERY = timedelta(hours=1)
BATCH = 1000
_FIRST = UUID(int=0)
_LOCK = 7_216_540_731
_FINAL = ", ".join(f"'{status}'" for status in sorted(FINAL))
_ENDED = f"FILTER (WHERE events.status IN ({_FINAL}))"
_FIRST_OF = "(array_agg({} ORDER BY events.seq) {})[1]"
_RATED = "FILTER (WHERE events.kind = 'rated')"
# The first event in a final state ended the case: none leaves one.
_SAID = f"""
SELECT cases.id, cases.agency, cases.service, max(events.seq) AS last_event,
    min(events.at) FILTER (WHERE events.kind = 'submitted') AS handed_in_at,
    {_FIRST_OF.format("events.at", _ENDED)} AS ended_at,
    {_FIRST_OF.format("events.status", _ENDED)} AS outcome,
    {_FIRST_OF.format("events.data ->> 'reason_code'", _ENDED)} AS reason,
    {_FIRST_OF.format("events.at", _RATED)} AS rated_at,
    {_FIRST_OF.format("(events.data ->> 'score')::smallint", _RATED)} AS score,
    CASE WHEN cases.status <> 'needs_citizen' THEN cases.due_on END AS due_on,
    surveys.answered_at, {", ".join(f"surveys.{column}" for column in COLUMNS)}
FROM cases JOIN case_events AS events ON events.case_id = cases.id LEFT JOIN surveys ON surveys.case_id = cases.id
WHERE cases.id = ANY($1::uuid[]) GROUP BY cases.id, surveys.case_id
"""  # noqa: S608 - constants of ours
_FACTS = msgspec.structs.fields(Facts)
_NAMES = ", ".join(field.name for field in _FACTS)
_KNOWN = f"SELECT case_id, last_event, {_NAMES} FROM figure_cases WHERE case_id = ANY($1::uuid[])"  # noqa: S608 - constants of ours
_KEEP = f"""
INSERT INTO figure_cases (case_id, last_event, {_NAMES})
VALUES ($1, $2, {", ".join(f"${place}" for place in range(3, 3 + len(_FACTS)))})
ON CONFLICT (case_id) DO UPDATE SET last_event = excluded.last_event,
    {", ".join(f"{field.name} = excluded.{field.name}" for field in _FACTS)}
"""  # noqa: S608 - constants of ours
_FORGET = "DELETE FROM figure_cases WHERE case_id = ANY($1::uuid[])"
_PLACE = "(grain, starts_on, agency, service, measure, value)"
# What counts at a service counts in its agency's sum and the city's as well: there "" stands for all of them.
_SUMS = "(cell.agency, ''), ('', '')"
_ADD = f"""
INSERT INTO figure_cells (grain, starts_on, agency, service, measure, value, count)
SELECT grain, starts_on, place.agency, place.service, measure, value, sum(count)
FROM unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
    AS cell (grain, starts_on, agency, service, measure, value, count)
CROSS JOIN LATERAL (VALUES (cell.agency, cell.service), {_SUMS}) AS place (agency, service)
GROUP BY grain, starts_on, place.agency, place.service, measure, value
ON CONFLICT {_PLACE} DO UPDATE SET count = figure_cells.count + excluded.count
"""  # noqa: S608 - constants of ours
# Sums that a worker of an older release has left behind, as it knew none.
_SUM_AGAIN = f"""
INSERT INTO figure_cells (grain, starts_on, agency, service, measure, value, count)
SELECT grain, starts_on, place.agency, place.service, measure, value, sum(count)
FROM figure_cells AS cell CROSS JOIN LATERAL (VALUES {_SUMS}) AS place (agency, service) WHERE cell.service <> ''
GROUP BY grain, starts_on, place.agency, place.service, measure, value
ON CONFLICT {_PLACE} DO UPDATE SET count = excluded.count WHERE figure_cells.count <> excluded.count
"""  # noqa: S608 - constants of ours
# Every case was open once: days would gather places where nothing is any more.
_FORGET_EMPTY = "DELETE FROM figure_cells WHERE grain = 'day' AND count = 0"
_LATELY = "SELECT DISTINCT case_id FROM case_events WHERE at >= $1"
# By the index alone: a million cases are compared without reading one.
_NEXT = f"""
SELECT told.case_id, told.last_event IS DISTINCT FROM known.last_event AS differs FROM (
    SELECT case_id, max(seq) AS last_event FROM case_events WHERE case_id > $1
    GROUP BY case_id ORDER BY case_id LIMIT {BATCH}
) AS told LEFT JOIN figure_cases AS known USING (case_id) ORDER BY told.case_id
"""  # noqa: S608 - constants of ours
_GONE = f"""
SELECT case_id FROM figure_cases WHERE NOT EXISTS (SELECT FROM cases WHERE cases.id = case_id) LIMIT {BATCH}
"""  # noqa: S608 - constants of ours
_STATE = "SELECT version, zone, as_of, compared_at FROM figure_state"
_CLOCK = "SELECT clock_timestamp()"
_TOLD = """
INSERT INTO figure_state (version, zone, as_of, compared_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, zone = excluded.zone,
    as_of = greatest(figure_state.as_of, excluded.as_of),
    compared_at = greatest(figure_state.compared_at, excluded.compared_at)
"""


class Counting:
    """Counts for one city. Several may at once: each batch is counted under one lock, in one transaction."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    async def run(self, *, everything: bool = False) -> int:
        """Count what changed; how many cases did. Compares every case where that is due, or `everything` is asked."""
        began, known = await self._begin()
        whole = everything or known is None or began - known >= COMPARE_EVERY
        changed = await (self._compare() if whole else self._lately(began))
        async with self._database.begin() as connection:
            told = VERSION, self._catalog.timezone.key, began, began if whole else known
            await connection.execute(_TOLD, *told)
        return changed

    async def _begin(self) -> tuple[datetime, datetime | None]:
        """Now, and when everything was compared last: None where it must be counted anew."""
        async with self._database.begin() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            began: datetime = await connection.fetchval(_CLOCK)
            state = await connection.fetchrow(_STATE)
            if state is not None and (state["version"], state["zone"]) == (VERSION, self._catalog.timezone.key):
                return began, state["compared_at"]
            await connection.execute("SET LOCAL statement_timeout = '5min'")
            for table in ("figure_state", "figure_cells", "figure_cases"):
                await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - constants of ours
        return began, None

    async def _lately(self, began: datetime) -> int:
        since = (await self._database.fetch(_STATE))[0]["as_of"] - OVERLAP
        ids = [row["case_id"] for row in await self._database.fetch(_LATELY, min(since, began - OVERLAP))]
        return sum([await self._count(ids[at : at + BATCH]) for at in range(0, len(ids), BATCH)])

    async def _compare(self) -> int:
        changed, last = 0, _FIRST
        while rows := await self._database.fetch(_NEXT, last):
            last = rows[-1]["case_id"]
            if differing := [row["case_id"] for row in rows if row["differs"]]:
                changed += await self._count(differing)
        while gone := [row["case_id"] for row in await self._database.fetch(_GONE)]:
            changed += await self._count(gone)
        async with self._database.begin() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(_FORGET_EMPTY)
            await connection.execute(_SUM_AGAIN)
        return changed

    async def _count(self, ids: Sequence[UUID]) -> int:
        """Bring the cells from what these cases were known to be to what their events say now."""
        async with self._database.begin() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            said = {row["id"]: row for row in await connection.fetch(_SAID, ids)}
            known = {row["case_id"]: row for row in await connection.fetch(_KNOWN, ids)}
            facts = {case_id: self._facts(row) for case_id, row in said.items()}
            before = {case_id: _facts_known(row) for case_id, row in known.items()}
            changed = [one for one in ids if facts.get(one) != before.get(one)]
            difference: Counter[Cell] = Counter()
            for case_id in changed:
                difference.update(facts[case_id].cells() if case_id in facts else ())
                difference.subtract(before[case_id].cells() if case_id in before else ())
            await _add(connection, difference)
            await connection.executemany(
                _KEEP, [(one, said[one]["last_event"], *msgspec.structs.astuple(facts[one])) for one in said]
            )
            if gone := [one for one in known if one not in said]:
                await connection.execute(_FORGET, gone)
        return len(changed)

    def _facts(self, row: Mapping[str, Any]) -> Facts:
        service = self._catalog.find(row["service"])
        # A ticket is given at once; when it is used says nothing of whether a promise was kept.
        promises = service is None or service.manifest.delivery == "queued"
        return Facts.of(row, self._catalog.timezone, promises=promises)


async def count_figures(database: Database, catalog: Catalog) -> None:
    """The job."""
    changed = await Counting(database, catalog).run()
    if changed > BATCH:
        log.info("%d cases counted", changed)


def _facts_known(row: Mapping[str, Any]) -> Facts:
    return Facts(**{field.name: row[field.name] for field in _FACTS})


async def _add(connection: Connection, difference: Mapping[Cell, int]) -> None:
    # Always in the same order, as everywhere.
    rows: Collection[tuple[Any, ...]] = [(*cell, count) for cell, count in sorted(difference.items()) if count]
    if rows:
        await connection.execute(_ADD, *(list(column) for column in zip(*rows, strict=True)))
