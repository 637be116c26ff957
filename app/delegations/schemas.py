"""What the delegation routes take and give."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.login.schemas import Nik
from app.words import SAID

ServiceSlug = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,62}$", examples=["outdoor-advertising"])]
Services = Annotated[list[ServiceSlug], Meta(min_length=1, max_length=20, examples=[["outdoor-advertising"]])]
Side = Literal["subject", "delegate"]
ShownState = Literal["asked", "active", "refused", "ended", "expired"]


class NewDelegation(msgspec.Struct, forbid_unknown_fields=True):
    """Asking somebody whether I may act for them, for these services, for so many days from their yes on."""

    nik: Nik
    relation: Annotated[Literal["elder", "other"], Meta(examples=["elder"])]
    services: Services
    days: Annotated[int, Meta(ge=1, le=365, examples=[90])]


PersonName = Annotated[str, Meta(min_length=1, max_length=120, pattern=SAID, examples=["Bima Prasetyo"])]
BirthDate = Annotated[date, Meta(examples=["2015-06-01"])]


class ForChild(msgspec.Struct, forbid_unknown_fields=True):
    """Who my child is, for which services, and at which agency's counter I show the family card."""

    nik: Nik
    name: PersonName
    birth_date: BirthDate
    services: Services
    days: Annotated[int, Meta(ge=1, le=365, examples=[365])]
    agency: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{1,40}$", examples=["dinkes"])]


class AtCounter(msgspec.Struct, forbid_unknown_fields=True):
    """Who stands before me, as their identity card says, and what they want done."""

    nik: Nik
    name: PersonName
    birth_date: BirthDate
    services: Services


class Sent(msgspec.Struct, frozen=True):
    """What another officer confirms, by its id."""

    id: UUID


class WaitingDelegation(msgspec.Struct, frozen=True, kw_only=True):
    """One that waits for an officer. `asked_by_me`: then another confirms it."""

    id: UUID
    relation: str
    services: list[str]
    asked_at: datetime
    asked_by_me: bool


class WaitingPage(msgspec.Struct, frozen=True):
    items: list[WaitingDelegation]
    next_cursor: str | None


class ServiceName(msgspec.Struct, frozen=True):
    slug: str
    title: str


class DelegationView(msgspec.Struct, frozen=True, kw_only=True):
    """One, as one of its two sides sees it. `other` is who stands on the other side: not told to whoever asks before it
    was granted. `acting_for`: what a delegate sends as X-Acting-For while it is active."""

    id: UUID
    side: Side
    relation: str
    state: ShownState
    state_text: str
    other: str | None
    services: list[ServiceName]
    days: int
    asked_at: datetime
    granted_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    acting_for: UUID | None


class DelegationPage(msgspec.Struct, frozen=True):
    """Newest first, of both sides."""

    items: list[DelegationView]
    next_cursor: str | None
