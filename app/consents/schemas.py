"""What the consent routes take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

Purpose = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,62}$", examples=["health-membership"])]


class NewConsent(msgspec.Struct, forbid_unknown_fields=True):
    """Agreeing to a purpose in the words of a version: the one that was shown."""

    purpose: Purpose
    version: Annotated[int, msgspec.Meta(ge=1, le=10_000, examples=[1])]


class ConsentView(msgspec.Struct):
    """One yes. `case_id`: given with that case's form and for it alone. `text` null: of words nobody kept."""

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


class FlowView(msgspec.Struct):
    """Data that goes to agencies, whether anybody is asked or not. `sends` by name and in `sends_words`; `receives`:
    what comes back. `basis`: `consent`, which can be withdrawn, or `law`, which `basis_words` names."""

    purpose: str
    text: str
    receivers: list[str]
    sends: list[str]
    sends_words: list[str]
    receives: list[str]
    services: list[str]
    basis: Literal["consent", "law"]
    basis_words: str


class ConsentProof(msgspec.Struct):
    """The exact words agreed to, in both languages, when and through which login."""

    id: UUID
    purpose: str
    version: int
    words_id: str
    words_en: str
    digest: str
    given_at: datetime
    session_id: UUID | None
    case_id: UUID | None
    withdrawn_at: datetime | None


class ConsentPage(msgspec.Struct):
    """Newest first. `offered` and `flows` are on every page."""

    items: list[ConsentView]
    next_cursor: str | None
    offered: list[OfferedConsent]
    flows: list[FlowView]
