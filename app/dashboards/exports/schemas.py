"""What the exports' routes take and give."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

Kind = Literal["cases", "figures", "survey"]
AnyKind = Literal["cases", "figures", "survey", "audit"]
Format = Literal["csv", "xlsx"]
Service = Annotated[str, msgspec.Meta(max_length=63, pattern=r"^[a-z][a-z0-9-]*$", examples=["outdoor-advertising"])]
Agency = Annotated[str, msgspec.Meta(max_length=41, pattern=r"^[a-z][a-z0-9_]*$", examples=["dpmptsp"])]

CaseNumber = Annotated[str, msgspec.Meta(max_length=24, pattern=r"^[0-9A-Z-]+$", examples=["3571-26-00000017-4"])]
Action = Annotated[str, msgspec.Meta(max_length=60, pattern=r"^[a-z_]+(\.[a-z_]+)*$", examples=["case.read"])]
Word = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[!-~]+$", examples=["supervisor.dpmptsp"])]


class ExportWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cases`: a row for each case handed in from `from_on` to `until_on`; `figures`: for each month and service of
    that time; `survey`: for each service, by regulation PANRB 14/2017. Without days: the last twelve months."""

    kind: Annotated[Kind, msgspec.Meta(examples=["figures"])]
    format: Annotated[Format, msgspec.Meta(examples=["csv"])] = "csv"
    service: Service | None = None
    agency: Agency | None = None
    from_on: date | None = None
    until_on: date | None = None


class RecordWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of the record of who saw whose data, as it can be searched for; all of it without anything. `actor`: an id,
    or an officer's name; `subject`: a citizen's id; `case`: its number; days are the city's, both included."""

    format: Annotated[Format, msgspec.Meta(examples=["csv"])] = "csv"
    since: date | None = None
    until: date | None = None
    actor: Word | None = None
    subject: UUID | None = None
    case: CaseNumber | None = None
    action: Action | None = None
    object: Word | None = None


class ExportView(msgspec.Struct, frozen=True):
    """`rows_done` of `rows_total`; `file` once it is done, until `expires_at`. `failed` may be asked for again."""

    id: UUID
    kind: AnyKind
    format: Format
    agency: str | None
    service: str | None
    from_on: date
    until_on: date
    state: Literal["queued", "running", "done", "failed"]
    rows_done: int
    rows_total: int | None
    size: int
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime
    file: str | None


class ExportList(msgspec.Struct, frozen=True):
    """One's own, the newest first."""

    items: list[ExportView]
