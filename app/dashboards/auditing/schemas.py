"""What the auditor's routes take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

Kind = Literal["citizen", "officer", "job", "client"]
Nik = Annotated[str, msgspec.Meta(max_length=16, pattern=r"^[0-9]{16}$", examples=["3571024505909001"])]


class SubjectAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose rows are looked for. The NIK is compared by its keyed index, and stands in no log, address or record."""

    nik: Nik


class SubjectFound(msgspec.Struct):
    """The citizen's id, by which the record names them."""

    subject_id: UUID


class RowView(msgspec.Struct):
    """One row of the record. `position`: where it stands in the chain; null while it is younger than a second.
    `actor`: an officer's name, where the account is known."""

    id: int
    position: int | None
    at: datetime
    actor_kind: Kind
    actor_id: str
    actor: str | None
    action: str
    subject_id: UUID | None
    object_kind: str
    object_id: str
    purpose: str
    legal_basis: str
    fields: list[str]
    request_id: str


class RowPage(msgspec.Struct):
    """Newest first. `next_cursor` is null on the last page."""

    items: list[RowView]
    next_cursor: str | None


class Reading(msgspec.Struct):
    """How often somebody did something with somebody's data."""

    actor_kind: Kind
    actor_id: str
    actor: str | None
    subject_id: UUID
    action: str
    times: int
    first_at: datetime
    last_at: datetime


class Readings(msgspec.Struct):
    """The latest first, at most two hundred."""

    items: list[Reading]


class CheckView(msgspec.Struct):
    """One verification. `outcome` is null while it is under way: `done` of `total` links. `broken`: `fault` says how,
    at `fault_position`, in `words`. `failed`: it could not be done. `anchors`: how many, outside the database, agree;
    `anchored_position` and `anchored_digest`: the newest of them."""

    id: UUID
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    total: int
    done: int
    outcome: Literal["whole", "broken", "failed"] | None
    fault: str | None
    fault_position: int | None
    words: str
    anchors: int | None
    anchored_position: int | None
    anchored_digest: str | None


class CheckList(msgspec.Struct):
    """The latest twenty, newest first."""

    items: list[CheckView]
