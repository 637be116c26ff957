"""What a module puts into a citizen's home: parts of some kinds, in its home.py, each asked beside all the others."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

import msgspec

from app.cases.tools import CaseTools
from app.login.guards import Caller
from app.texts import Language

T = TypeVar("T")
# In the order in which a home shows them.
Kind = Literal["cases", "bookings", "bills", "entitlements", "messages"]
NO_HURRY = math.inf


class Asker(msgspec.Struct, frozen=True):
    """Whose home it is, and in which language it is read. `by` (monotonic seconds): what is not known by then from an
    agency is shown as it was told last."""

    caller: Caller
    language: Language
    by: float = NO_HURRY

    @property
    def left_s(self) -> float | None:
        """Until then; None where there is no hurry."""
        return None if self.by == NO_HURRY else max(0.0, self.by - time.monotonic())


class Told(msgspec.Struct, Generic[T], frozen=True):
    """What a part holds, as it was at `as_of`. `more`: there is more where the part's link leads."""

    items: Sequence[T]
    as_of: datetime
    is_stale: bool = False
    more: bool = False


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """When to be where. `code`: what to show there, null where it was not told. `now_serving` and `before` (at most so
    many come first) on the day itself, where they are known. `advice`: what to do, in words."""

    case_id: UUID
    number: str
    title: str
    place: str
    on: date
    hours: str
    come_at: datetime | None
    code: str | None
    now_serving: str | None
    before: int | None
    advice: str
    link: str


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What an agency's system says must be paid, never what we think. `number`: what to pay it under, `link`: the case
    it is for, null where it is for none."""

    number: str
    title: str
    amount_idr: int
    due_on: date | None
    link: str | None


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """What is given, from which day to which. `amount_idr` null: nothing is paid out."""

    title: str
    state: str
    state_text: str
    amount_idr: int | None
    begins_on: date
    ends_on: date
    paid_on: date | None


class Part(ABC, Generic[T]):
    """One part of a home. A module has one of a kind at most, called `<module>.<kind>`; its title is the text
    `home.<module>.<kind>`.

    Built once for a process, with the port that `serves` names: the module's own where it is "". `link`: where all of
    it is read. `level`: which assurance level it needs. `for_others`: also for who acts for the citizen; then it holds
    what it shows to the services of `asker.caller.acting`.

    Agencies are asked through `cases.reads` alone: a part that is late is broken off, and what was asked that way goes
    on within its own budget, for whoever asks next.
    """

    kind: ClassVar[Kind]
    link: ClassVar[str]
    level: ClassVar[int] = 1
    serves: ClassVar[str] = ""
    for_others: ClassVar[bool] = False

    def __init__(self, port: Any, cases: CaseTools) -> None:
        self.port = port
        self.cases = cases

    @abstractmethod
    async def read(self, asker: Asker) -> Told[T]:
        """What stands in it now. Whatever it raises is shown in its place, and keeps nothing from the other parts."""
