"""What the desk's routes take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from app.cases.schemas import DeliveryState
from app.words import SAID

Operation = Literal["submit", "answer", "withdraw", "follow"]
AttemptOutcome = Literal[
    "under_way", "interrupted", "delivered", "rejected", "needs_operator", "unavailable", "unknown", "failed", "waited"
]
# At least something to read: a reason nobody gave helps nobody who asks later.
Reason = Annotated[
    str,
    msgspec.Meta(
        min_length=5,
        max_length=500,
        pattern=SAID,
        examples=["Dicek di loket: pendaftaran ini sudah ada di buku agenda."],
    ),
]
Reference = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[!-~]([ -~]*[!-~])?$", examples=["0001200101112026"])
]


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Try now, and for another 72 hours. What may have arrived is looked up there before anything is sent."""

    reason: Reason


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it ended, as an officer has found out. `delivered`: the agency has it, under `reference`, which is needed for
    a case. `rejected`: the agency will not take it; the citizen is told `reason`. `send_again`: the agency surely has
    nothing of it."""

    outcome: Annotated[Literal["delivered", "rejected", "send_again"], msgspec.Meta(examples=["delivered"])]
    reason: Reason
    reference: Reference | None = None


class ManyRetried(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which deliveries to try again: those named, and of a backend, where one is named, the oldest that wait."""

    reason: Reason
    ids: Annotated[list[UUID], msgspec.Meta(max_length=100)] = []
    backend: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[a-z0-9_.-]*$", examples=["sicantik"])] = ""


class Refused(msgspec.Struct):
    """One that was left as it is: `code` says why."""

    id: UUID
    code: str


class RetriedMany(msgspec.Struct):
    """`left`: how many more of the backend wait for an officer; ask again for those."""

    retried: list[UUID]
    refused: list[Refused]
    left: int


class DeliveryItem(msgspec.Struct):
    """One delivery on the desk. `unknown`: the agency may have it already. `since`: when it was handed in, or came
    before an officer. `under_way`: a worker is at it now."""

    id: UUID
    case_id: UUID
    case_number: str
    service: str
    agency: str
    backend: str
    operation: Operation
    state: DeliveryState
    text: str
    reason: str | None
    detail: str | None
    unknown: bool
    under_way: bool
    paused: bool
    tries: int
    since: datetime
    created_at: datetime
    first_tried_at: datetime | None
    sent_at: datetime | None
    next_try_at: datetime | None
    reference: str | None


class DeliveryPage(msgspec.Struct):
    """Longest waiting first. `next_cursor` is null on the last page."""

    items: list[DeliveryItem]
    next_cursor: str | None


class ExchangeView(msgspec.Struct):
    """One call to the agency's system. What names or describes a person is masked; it was never stored otherwise."""

    at: datetime
    operation: str
    method: str
    path: str
    outcome: str
    http_status: int | None
    duration_ms: int
    sent: str
    answered: str


class AttemptView(msgspec.Struct):
    """One try. `interrupted`: its worker died, or came too late to write anything. `unknown_before`: it looked before
    it sent."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None
    outcome: AttemptOutcome
    unknown_before: bool
    reason: str | None
    detail: str | None
    calls: int
    http_status: int | None
    exchanges: list[ExchangeView]


class ActionView(msgspec.Struct):
    """What an officer did about it, and why."""

    at: datetime
    officer: str
    action: Literal["retry", "send_again", "propose_delivered", "propose_rejected", "delivered", "rejected"]
    reference: str | None
    reason: str


class Proposal(msgspec.Struct):
    """What one officer has said of how it ended; another one has to say the same before it counts."""

    outcome: Literal["delivered", "rejected"]
    reference: str | None
    officer: str
    at: datetime


class DeliveryDetail(DeliveryItem):
    """One delivery with its newest tries and everything officers did about it. `proposal`: waits for a second word."""

    attempts: list[AttemptView]
    actions: list[ActionView]
    proposal: Proposal | None


class ParkedJob(msgspec.Struct):
    """A job that failed in a way nobody foresaw, and waits for a person. `error` is the kind of failure."""

    id: int
    queue: str
    parked_at: datetime
    attempts: int
    error: str


class ParkedJobs(msgspec.Struct):
    """Oldest first, at most a hundred."""

    items: list[ParkedJob]
