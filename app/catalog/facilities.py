"""Facilities of a city's profile: places of one agency that each run a system of their own, all of one kind."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

import msgspec

from app.manifest import FolderName, Slug
from app.texts import Text

Weekday = Literal[1, 2, 3, 4, 5, 6, 7]
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,12}$")]
_Hours = Annotated[str, msgspec.Meta(pattern=r"^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$")]
_VillageCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}\.[0-9]{4}$")]


class Practice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a doctor sees people, by ISO weekday (1 is Monday), where the facility's system must be told. `doctor` is
    its own code."""

    doctor: Code
    name: str
    hours: _Hours
    weekdays: Sequence[Weekday]


class Clinic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A clinic (poli) by the code its facility's system knows. Without `practice`, that system tells who is there."""

    code: Code
    name: Text
    practice: Sequence[Practice] = ()


class Facility(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One place. `integration` speaks to its system; where that system is stands in LOKET_<INTEGRATION>_FACILITIES.

    `weekdays`: when it takes people at all; `holidays`: also on public holidays; `closed_on`: its own closed days.
    `booking_days`: how many days ahead it gives appointments. `time_zone` "" is the city's.
    """

    id: Slug
    kind: Literal["puskesmas", "hospital"]
    name: str
    integration: FolderName
    address: str
    village_code: _VillageCode
    phone: str = ""
    time_zone: str = ""
    weekdays: Sequence[Weekday] = (1, 2, 3, 4, 5, 6)
    holidays: bool = False
    closed_on: Sequence[date] = ()
    booking_days: Annotated[int, msgspec.Meta(ge=0, le=90)] = 7
    clinic: Sequence[Clinic]

    @property
    def backend(self) -> str:
        """Its system's name among backends."""
        return f"{self.integration}.{self.id}"

    def find_clinic(self, code: str) -> Clinic | None:
        return next((clinic for clinic in self.clinic if clinic.code == code), None)
