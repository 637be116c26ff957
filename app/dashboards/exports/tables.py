"""The rows of an export: what stands in which column, read piece by piece. Nothing in them says who asked."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.catalog.catalog import Catalog
from app.dashboards.exports.workbook import CellKind
from app.dashboards.figures.facts import DECIDED
from app.dashboards.figures.periods import last_of, start_of, starts
from app.dashboards.figures.reading import Figures, Scope
from app.dashboards.figures.sums import Totals
from app.database import Database
from app.spreadsheets import harmless
from app.texts import Language, has_text, text
from app.workdays import working_days_after

BATCH = 8000
Value = str | int | float | None
Row = Sequence[Value]
Columns = Mapping[str, CellKind]
_MOST_MONTHS = 120
_FIRST = UUID(int=0)
_WHERE = """
WHERE cases.id > $1 AND ($2 = '' OR cases.agency = $2) AND ($3 = '' OR cases.service = $3) AND submitted_at >= $4
    AND submitted_at < $5
"""
_CASES = f"""
SELECT cases.id, number, cases.agency, cases.service, status, submitted_at, cases.due_on,
    figure_cases.due_on AS promised, ended_on, outcome, reason, delivery_state, agency_reference, rating
FROM cases LEFT JOIN figure_cases ON case_id = cases.id {_WHERE} ORDER BY cases.id LIMIT $6
"""  # noqa: S608 - constants of ours
_COUNT = f"SELECT count(*) FROM cases {_WHERE}"  # noqa: S608 - constants of ours
# What stands in each column, for whatever has more kinds of cells than text.
_CASE_COLUMNS: Columns = {
    "number": "words",
    "agency": "words",
    "service": "words",
    "status": "words",
    "handed_in_on": "day",
    "due_on": "day",
    "ended_on": "day",
    "days": "number",
    "on_time": "words",
    "reason": "words",
    "delivery": "words",
    "reference": "words",
    "rating": "number",
}


class Piece(msgspec.Struct, frozen=True):
    """Some rows, and where to go on: None where there are no more."""

    rows: Sequence[Row]
    after: UUID | None


class Table:
    """One export's content, in its officer's language."""

    def __init__(self, database: Database, catalog: Catalog, asked: Mapping[str, Any], batch: int = BATCH) -> None:
        self._database, self._catalog, self._asked, self._batch = database, catalog, asked, batch
        self._language: Language = asked["language"]
        self._figures = Figures(database, catalog, self._language)
        self._scope = Scope(asked["agency"], asked["service"])
        self._columns = {"cases": _CASE_COLUMNS, "figures": _FIGURE_COLUMNS, "survey": _SURVEY_COLUMNS}[asked["kind"]]
        self._agencies = {agency.id: agency.short_name for agency in catalog.agencies()}

    def heading(self) -> Row:
        """The columns' names."""
        return [text(f"exports.column.{name}", self._language) for name in self._columns]

    def kinds(self) -> Sequence[CellKind]:
        """What stands in each column."""
        return list(self._columns.values())

    async def count(self) -> int:
        if self._asked["kind"] != "cases":
            return len((await self.piece(None)).rows)
        return int((await self._database.fetch(_COUNT, *self._given(_FIRST)))[0]["count"])

    async def piece(self, after: UUID | None) -> Piece:
        """The rows after a case; of figures and the survey all at once."""
        if self._asked["kind"] == "figures":
            return Piece(await self._figure_rows(), None)
        if self._asked["kind"] == "survey":
            return Piece(await self._survey_rows(), None)
        found = await self._database.fetch(_CASES, *self._given(after or _FIRST), self._batch)
        return Piece([self._case(row) for row in found], found[-1]["id"] if len(found) == self._batch else None)

    def _given(self, after: UUID) -> Sequence[Any]:
        zone, asked = self._catalog.timezone, self._asked
        first = datetime.combine(asked["from_on"], datetime.min.time(), zone)
        end = datetime.combine(asked["until_on"], datetime.max.time(), zone)
        return after, asked["agency"], asked["service"], first, min(end, asked["created_at"])

    def _case(self, row: Mapping[str, Any]) -> Row:
        handed_in = row["submitted_at"].astimezone(self._catalog.timezone).date()
        ended = row["ended_on"]
        return [
            row["number"],
            self._agency(row["agency"]),
            self._figures.title(row["service"]),
            text(f"queue.status.{row['status']}", self._language),
            handed_in.isoformat(),
            _day(row["due_on"]),
            _day(ended),
            working_days_after(handed_in, ended) if ended else None,
            self._on_time(row),
            self._reason(row["reason"]),
            text(f"queue.delivery.{row['delivery_state']}", self._language) if row["delivery_state"] else None,
            row["agency_reference"],
            row["rating"],
        ]

    def _agency(self, agency_id: str) -> str:
        """As officers call it; one that the catalogue no longer has by its id."""
        return self._agencies.get(agency_id, agency_id)

    def _on_time(self, row: Mapping[str, Any]) -> Value:
        """Of what the agency decided, as the figures count it."""
        if row["outcome"] not in DECIDED or row["promised"] is None:
            return None
        return text(f"exports.{'yes' if row['ended_on'] <= row['promised'] else 'no'}", self._language)

    def _reason(self, code: str | None) -> Value:
        if code is None:
            return None
        key = f"figures.reason.{code}"
        return text(key, self._language) if has_text(key) else code

    def _months(self) -> Sequence[date]:
        last, first = start_of(self._asked["until_on"], "month"), start_of(self._asked["from_on"], "month")
        count = (last.year - first.year) * 12 + last.month - first.month + 1
        return starts(last, "month", min(count, _MOST_MONTHS))

    async def _figure_rows(self) -> Sequence[Row]:
        rows: list[Row] = []
        for month in self._months():
            view = await self._figures.services(self._scope, "month", month)
            end = last_of(month, "month").isoformat()
            rows += [
                [month.isoformat(), end, self._agency(item.agency), item.title, *_totals(item.now)]
                for item in view.items
                if item.now.handed_in or item.now.ended or item.now.survey_answers
            ]
        return rows

    async def _survey_rows(self) -> Sequence[Row]:
        months = self._months()
        view = await self._figures.survey(self._scope, months[-1], len(months))
        return [
            [
                view.starts_on.isoformat(),
                view.ends_on.isoformat(),
                self._agency(one.agency),
                one.title,
                one.result.served,
                one.result.answers,
                one.result.needed,
                text(f"exports.{'yes' if one.result.enough else 'no'}", self._language),
                *(element.average for element in one.result.elements),
                one.result.index_of_4,
                one.result.index,
                one.result.grade,
            ]
            for one in view.services
        ]


def as_csv(rows: Sequence[Row]) -> bytes:
    """RFC 4180 in UTF-8; text that a spreadsheet could run is made harmless."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(
        [harmless(value) if isinstance(value, str) else value for value in row] for row in rows
    )
    return written.getvalue().encode()


_WHERE_AND_WHEN: Columns = {"starts_on": "day", "ends_on": "day", "agency": "words", "service": "words"}
_FIGURE_COLUMNS: Columns = {
    **_WHERE_AND_WHEN,
    "handed_in": "number",
    "ended": "number",
    "completed": "number",
    "rejected": "number",
    "withdrawn": "number",
    "expired": "number",
    "promised": "number",
    "timely": "number",
    "median_days": "number",
    "p90_days": "number",
    "ratings": "number",
    "rating": "number",
    "answers": "number",
    "index": "number",
}
_SURVEY_COLUMNS: Columns = {
    **_WHERE_AND_WHEN,
    "served": "number",
    "answers": "number",
    "needed": "number",
    "enough": "words",
    **{f"u{number}": "number" for number in range(1, 10)},
    "index_of_4": "number",
    "index": "number",
    "grade": "words",
}


def _totals(totals: Totals) -> Row:
    outcomes = [totals.outcomes.get(name, 0) for name in ("completed", "rejected", "withdrawn", "expired")]
    return [
        totals.handed_in,
        totals.ended,
        *outcomes,
        totals.promised,
        totals.on_time,
        totals.median_days,
        totals.p90_days,
        totals.ratings,
        totals.rating,
        totals.survey_answers,
        totals.survey_index,
    ]


def _day(day: date | None) -> Value:
    return day.isoformat() if day else None
