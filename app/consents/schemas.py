"""What the consent routes take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

Purpose = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,62}$", examples=["health-membership"])]


class NewConsent(msgspec.Struct, forbid_unknown_fields=True):
    """Agreeing to a purpose in the words of a version: the one that was shown."""

    purpose: Purpose
    version: Annotated[int, msgspec.Meta(ge=1, le=10_000, examples=[1])]


class ConsentView(msgspec.Struct):
    """One yes. `case_id`: given with that case's form and for it alone. `text` null: of words that are no more used."""

    id: UUID
    purpose: str
    version: int
    text: str | None
    case_id: UUID | None
    given_at: datetime
    withdrawn_at: datetime | None


class OfferedConsent(msgspec.Struct):
    """What may be agreed to, in its present words. `given`: whether it is, now."""

    purpose: str
    version: int
    text: str
    given: bool


class ConsentPage(msgspec.Struct):
    """Newest first. `offered` is on every page."""

    items: list[ConsentView]
    next_cursor: str | None
    offered: list[OfferedConsent]
