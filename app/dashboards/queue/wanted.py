"""Which cases a list shows: filters as one statement, so that PostgreSQL reads each page from an index."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from app.cases.due import soon_until, today
from app.cases.schemas import DeliveryState, Slug
from app.cursor import decode_cursor, encode_cursor
from app.errors import Unprocessable
from app.login.guards import Officer
from app.manifest import FolderName

# What still waits for somebody. Spelled out in statements: a partial index is found by its words.
OPEN = ("submitted", "in_review", "needs_citizen")
HANDED = "cases.submitted_at IS NOT NULL"
IS_OPEN = "cases.status IN ('submitted', 'in_review', 'needs_citizen')"
# The clock stands while the citizen is asked. Beside IS_OPEN, by whose words the index is found.
CLOCK_RUNS = f"{IS_OPEN} AND cases.status <> 'needs_citizen'"
# What is due after the case at a place, or as soon and with a higher id: the first part is where the index begins.
_AFTER_DUE = """cases.due_on >= (SELECT due_on FROM cases AS last WHERE last.id = ${0}) AND (
    cases.due_on > (SELECT due_on FROM cases AS last WHERE last.id = ${0}) OR cases.id > ${0})"""

HandedStatus = Literal[
    "submitted", "in_review", "needs_citizen", "approved", "rejected", "completed", "withdrawn", "expired"
]
Clock = Literal["late", "soon_late"]
# The last: whatever the agency's system has not taken yet.
Handing = Literal[DeliveryState, "undelivered"]
IS_UNDELIVERED = (
    "cases.delivery_state IN ('queued', 'delivering', 'needs_operator') AND cases.delivery_state <> 'delivered'"
)
ASSIGNEE = r"^(me|nobody|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
Assignee = Annotated[str, msgspec.Meta(max_length=36, pattern=ASSIGNEE, examples=["me"])]


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`clock`: those past their working days, or nearly; it stands while the citizen is asked. `assignee`: `me`,
    `nobody`, or an officer's id; without a `status` the first two leave out what has ended. `agency`: for roles of the
    whole city."""

    service: Slug | None = None
    status: HandedStatus | None = None
    clock: Clock | None = None
    delivery: Handing | None = None
    assignee: Assignee | None = None
    agency: FolderName | None = None


class Wanted(msgspec.Struct, frozen=True):
    """A page of a list for one officer, on one day of the city. `after`: where the page before ended."""

    officer: Officer
    filters: Filters
    day: date
    limit: int
    cursor: str | None = None

    @property
    def by_due(self) -> bool:
        """Lists of clocks begin with what has waited longest; all others with what came last."""
        return self.filters.clock is not None


def statement_of(wanted: Wanted, columns: str) -> tuple[str, list[Any]]:
    """The page, with one row more than it shows."""
    where, given = conditions(wanted)
    order = "cases.due_on, cases.id" if wanted.by_due else "cases.id DESC"
    if wanted.cursor is not None:
        given.append(decode_cursor(wanted.cursor, tuple[UUID])[0])
        where.append((_AFTER_DUE if wanted.by_due else "cases.id < ${0}").format(len(given)))
    given.append(wanted.limit + 1)
    condition = " AND ".join(where)
    return (
        f"SELECT {columns} FROM cases WHERE {condition} ORDER BY {order} LIMIT ${len(given)}",  # noqa: S608 - constants of ours
        given,
    )


def next_cursor(wanted: Wanted, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Where the page after these rows begins; None where there is none."""
    if len(rows) <= wanted.limit:
        return None
    last = rows[wanted.limit - 1]
    return encode_cursor((last["id"],))


def conditions(wanted: Wanted) -> tuple[list[str], list[Any]]:
    """The officer's agency first, always; then the filters."""
    asked, officer = wanted.filters, wanted.officer
    where, given = [HANDED], []
    last_day = soon_until(wanted.day)
    for condition, value in (
        ("cases.agency = {}", officer.agency or asked.agency),
        ("cases.service = {}", asked.service),
        ("cases.status = {}", asked.status),
        (f"{CLOCK_RUNS} AND cases.due_on < {{}}", wanted.day if asked.clock == "late" else None),
        (f"{CLOCK_RUNS} AND cases.due_on >= {{}}", wanted.day if asked.clock == "soon_late" else None),
        ("cases.due_on <= {}", last_day if asked.clock == "soon_late" else None),
        ("cases.delivery_state = {}", asked.delivery if asked.delivery != "undelivered" else None),
        ("cases.assignee_id = {}", _assignee_id(asked.assignee, officer)),
    ):
        if value is not None:
            given.append(value)
            where.append(condition.format(f"${len(given)}"))
    if asked.delivery == "undelivered":
        where.append(IS_UNDELIVERED)
    elif asked.delivery is not None and asked.delivery != "delivered":
        where.append("cases.delivery_state <> 'delivered'")
    if asked.assignee == "nobody":
        where.append(f"cases.assignee_id IS NULL AND {IS_OPEN}")
    if asked.assignee == "me" and asked.status is None:
        where.append(IS_OPEN)
    return where, given


def on(officer: Officer, filters: Filters, zone: Any, limit: int, cursor: str | None = None) -> Wanted:
    return Wanted(officer, filters, today(zone), limit, cursor)


def _assignee_id(wanted: str | None, officer: Officer) -> UUID | None:
    if wanted is None or wanted == "nobody":
        return None
    if wanted == "me":
        return officer.id
    try:
        return UUID(wanted)
    except ValueError:
        raise Unprocessable from None
