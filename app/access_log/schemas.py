"""What the access log shows."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

# self: the citizen's own doings, and tries by somebody who did not prove to be them.
ActorKind = Literal["officer", "job", "client", "citizen", "self"]


class ActorView(msgspec.Struct, frozen=True):
    """Who it was, in words. An officer is shown by agency, role and a mark that stays the same: with it the agency can
    say who it was."""

    kind: ActorKind
    text: str
    agency: str | None = None
    role: str | None = None
    mark: str | None = None


class FieldView(msgspec.Struct, frozen=True):
    """One kind of personal data."""

    name: str
    text: str


class CaseReference(msgspec.Struct, frozen=True):
    """The case it was about."""

    id: UUID
    number: str
    service: str
    service_title: str


class Place(msgspec.Struct, frozen=True):
    """Where the row stands in the chain; `digest` in hexadecimal digits."""

    position: int
    digest: str


class AccessEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One look at my data. `chain` null: written a moment ago, and not yet linked into the chain of the record."""

    at: datetime
    actor: ActorView
    action: str
    action_text: str
    fields: list[FieldView]
    purpose: str
    purpose_text: str
    legal_basis: str
    legal_basis_text: str
    case: CaseReference | None
    request_id: str
    chain: Place | None


class AccessPage(msgspec.Struct, frozen=True):
    """Newest first."""

    items: list[AccessEntry]
    next_cursor: str | None
