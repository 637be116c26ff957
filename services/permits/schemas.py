"""What the permits routes answer."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

Validity = Literal["valid", "expired", "unknown"]


class LicenceView(msgspec.Struct, frozen=True):
    """An issued licence. `state` says whether the agency's system proved it just now (`fresh`), or could not be asked
    and this is its last proof (`stale`), of the time `as_of`. `validity` is `unknown` where it names no end."""

    case_id: UUID
    case_number: str
    service: str
    title: str
    number: str
    permit: str
    holder: str
    issued_on: date | None
    valid_until: date | None
    validity: Validity
    state: Literal["fresh", "stale"]
    as_of: datetime
    check_url: str


class LicenceCheck(msgspec.Struct, frozen=True):
    """What anybody may know of a licence number. `holder` is masked: it serves to compare with a name one is shown."""

    number: str
    genuine: bool
    validity: Validity
    as_of: datetime
    permit: str | None = None
    holder: str | None = None
    issued_on: date | None = None
    valid_until: date | None = None
