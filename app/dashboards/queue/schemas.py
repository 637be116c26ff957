"""What officers' routes of cases take and give."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from app.cases.port import Status
from app.cases.schemas import AttachmentView, DeliveryState, TimelineEvent
from app.dashboards.queue.wanted import Clock, Filters
from app.words import SAID, SAID_ON_ONE_LINE

Power = Literal["take", "release", "assign", "note", "ask", "refresh"]
WorkKind = Literal["note", "assigned", "released", "asked", "refresh_asked", "soon_late", "late"]
ViewName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=60,
        pattern=SAID_ON_ONE_LINE,
        examples=["Reklame terlambat"],
    ),
]
Note = Annotated[
    str,
    msgspec.Meta(min_length=3, max_length=2000, pattern=SAID, examples=["Pemohon datang, berkas asli lengkap."]),
]
Question = Annotated[
    str,
    msgspec.Meta(min_length=5, max_length=1000, pattern=SAID, examples=["Berapa tinggi tiang reklame dari tanah?"]),
]


class OfficerCaseItem(msgspec.Struct):
    """A case in officers' lists: nothing that names its citizen. `days_left`: working days until it is due, negative
    once it is late; null where nothing runs."""

    id: UUID
    number: str
    service: str
    service_title: str
    agency: str
    backend: str
    status: Status
    status_text: str
    delivery: DeliveryState | None
    agency_reference: str | None
    due_on: date | None
    days_left: int | None
    clock: Clock | None
    assignee_id: UUID | None
    assignee: str | None
    submitted_at: datetime
    updated_at: datetime
    refreshed_at: datetime | None
    next_refresh_at: datetime | None


class OfficerCasePage(msgspec.Struct):
    """Newest first; with `clock`, what is due first. `next_cursor` is null on the last page."""

    items: list[OfficerCaseItem]
    next_cursor: str | None


class CaseCounts(msgspec.Struct):
    """Of the officer's agency, counted up to `most`: one more means that there are more."""

    unassigned: int
    mine: int
    late: int
    soon_late: int
    needs_citizen: int
    undelivered: int
    most: int


class ApplicantView(msgspec.Struct):
    """Who asks; the NIK without its middle."""

    name: str
    nik: str
    phone: str


class WorkView(msgspec.Struct):
    """What an officer did with the case, for officers alone. `officer` is "" where the clock did it."""

    at: datetime
    kind: WorkKind
    officer: str
    target: str
    words: str


class CaseDeliveryView(msgspec.Struct):
    """Handing one thing of the case over to the agency's system."""

    id: UUID
    operation: str
    state: DeliveryState
    created_at: datetime
    finished_at: datetime | None
    reference: str | None
    reason: str | None


class CaseMessageView(msgspec.Struct):
    """A message to the citizen about this case."""

    at: datetime
    text: str
    read_at: datetime | None


class OfficerCase(OfficerCaseItem):
    """One case whole. `applicant`, `form`, `question`, words of the timeline, messages and files are for the agency
    that handles it; roles of the whole city get null or nothing there. `may`: what this officer can do."""

    applicant: ApplicantView | None
    form_version: int
    form: dict[str, Any] | None
    question: str | None
    product: dict[str, Any] | None
    attachments: list[AttachmentView]
    timeline: list[TimelineEvent]
    deliveries: list[CaseDeliveryView]
    messages: list[CaseMessageView]
    work: list[WorkView]
    may: list[Power]


class CitizenSought(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose cases: the whole NIK."""

    nik: Annotated[str, msgspec.Meta(max_length=16, pattern="^[0-9]{16}$", examples=["3571016501900001"])]


CaseIds = Annotated[
    list[UUID],
    msgspec.Meta(min_length=1, max_length=100, examples=[["0192f5d0-c0de-7000-8000-000000000001"]]),
]


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which cases, and to whom: an officer of the agency, oneself, or nobody (null)."""

    case_ids: CaseIds
    officer_id: UUID | None = None


class NotAssigned(msgspec.Struct):
    """One that was left as it is: `code` says why."""

    id: UUID
    code: str


class Assigned(msgspec.Struct):
    assigned: list[UUID]
    refused: list[NotAssigned]


class NewNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For officers alone; stored encrypted."""

    words: Note


class NewQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the citizen is asked, in the agency's words."""

    question: Question


class RefreshState(msgspec.Struct):
    """When the agency's system was last asked about the case, and when it will be."""

    refreshed_at: datetime | None
    next_refresh_at: datetime | None


class Colleague(msgspec.Struct):
    """Somebody a case can be given to."""

    id: UUID
    name: str
    role: str


class NewView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Filters under a name; one of the same name takes the old one's place."""

    name: ViewName
    filters: Filters


class SavedView(msgspec.Struct):
    id: UUID
    name: str
    filters: Filters


class SavedViews(msgspec.Struct):
    """By name, at most thirty."""

    items: list[SavedView]


class EscalationItem(msgspec.Struct):
    """A case whose clock came near its end, or past it."""

    case_id: UUID
    number: str
    service: str
    service_title: str
    stage: Clock
    due_on: date | None
    at: datetime
    assignee: str | None


class EscalationPage(msgspec.Struct):
    """Not yet seen by a supervisor, oldest first."""

    items: list[EscalationItem]
    next_cursor: str | None


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cases whose escalations were seen."""

    case_ids: CaseIds


class SeenMany(msgspec.Struct):
    seen: int
