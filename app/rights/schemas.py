"""What the routes of citizens' rights take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from app.rights.correcting import Field
from app.rights.models import Kind, State
from app.words import SAID

PlaceState = Literal["pending", "corrected", "refused"]


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, and how it is right. `birth_date` as YYYY-MM-DD, `phone` an Indonesian mobile number."""

    field: Annotated[Field, msgspec.Meta(examples=["name"])]
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=120, pattern=SAID, examples=["Siti Aminah"])]


class CopyPart(msgspec.Struct):
    """One ZIP, read at `path` until it expires."""

    part: int
    path: str
    size: int
    sha256: str
    expires_at: datetime


class PlaceView(msgspec.Struct):
    """Who else has the old data: an agency's system, or the population register that is asked."""

    agency: str
    system: str
    state: PlaceState
    since: datetime


class DataRequestView(msgspec.Struct):
    """`due_at`: until when the law wants it answered. `run_at`: when a deletion is carried out; until then it can be
    taken back. `code` says why it ended otherwise than done, `detail` the same in words."""

    id: UUID
    kind: Kind
    state: State
    field: str
    code: str
    detail: str
    asked_at: datetime
    run_at: datetime
    due_at: datetime
    ended_at: datetime | None
    places: list[PlaceView]
    parts: list[CopyPart]


class DataRequestPage(msgspec.Struct):
    """Newest first. `restricted`: nothing is handed to agencies, nor asked of them, for now."""

    items: list[DataRequestView]
    next_cursor: str | None
    restricted: bool


class OfficersRequest(msgspec.Struct):
    """What an officer sees of a request: no name, no value; the citizen by their account's id. `overdue`: past due_at.
    `refusal`: one city admin has proposed to refuse it, and waits for another."""

    id: UUID
    citizen_id: UUID
    kind: Kind
    state: State
    field: str
    code: str
    asked_at: datetime
    due_at: datetime
    overdue: bool
    refusal: bool
    places: list[PlaceView]


class OfficersPage(msgspec.Struct):
    """The most urgent first."""

    items: list[OfficersRequest]
    next_cursor: str | None


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a deletion is refused, in words for the citizen. The first officer proposes, another one's makes it so."""

    reason: Annotated[
        str,
        msgspec.Meta(
            min_length=10,
            max_length=500,
            pattern=SAID,
            examples=["Ada sengketa izin yang masih berjalan dengan data ini."],
        ),
    ]


class PlaceOutcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of a correction in one system."""

    system: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[a-z0-9_.-]+$", examples=["sicantik"])]
    state: Annotated[Literal["corrected", "refused"], msgspec.Meta(examples=["corrected"])]
