"""What is asked of the figures: parameters that the API's routes and the pages share."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from app.dashboards.figures.periods import Grain, start_of
from app.dashboards.figures.reading import Figures, Scope
from app.errors import BadRequest, FieldError, NotFound
from app.login.guards import Officer

MOST_PERIODS = 60
# Nothing is older or newer, and the calendar goes on around them for the periods to compare with.
_EARLIEST, _LATEST = date(2000, 1, 1), date(9000, 1, 1)
GrainAsked = Annotated[
    Grain, QueryParameter(description="By week (ISO, from Monday) or by month, in the city's time zone.")
]
PeriodsAsked = Annotated[int, QueryParameter(ge=1, le=MOST_PERIODS, description="How many, the newest last.")]
MonthsAsked = Annotated[int, QueryParameter(ge=1, le=36, description="How many months together.")]
AgencyAsked = Annotated[
    str | None,
    QueryParameter(
        max_length=41, pattern=r"^[a-z][a-z0-9_]*$", description="Of this agency alone; an officer's own anyway."
    ),
]
ServiceAsked = Annotated[
    str | None, QueryParameter(max_length=63, pattern=r"^[a-z][a-z0-9-]*$", description="Of this service alone.")
]
# A text held to dates: a date that may be left out would take `until=null` for none.
DayAsked = Annotated[
    str | None,
    QueryParameter(
        max_length=10,
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        description="A day of the newest period; today without it.",
        schema_extra={"type": "string", "format": "date"},
    ),
]


class Asked(msgspec.Struct, frozen=True):
    """The query of a request, which its handler took apart."""

    grain: Grain = "month"
    until: str | None = None
    agency: str | None = None
    service: str | None = None


def scope_of(officer: Officer, asked: Asked) -> Scope:
    """Whose figures an officer may see of what was asked. Raises NotFound for another agency's."""
    if officer.agency and asked.agency not in (None, "", officer.agency):
        raise NotFound("agency_unknown")
    return Scope(officer.agency or asked.agency or "", asked.service or "")


def newest(figures: Figures, asked: Asked) -> date:
    """The first day of the newest period that was asked for. Raises BadRequest."""
    return start_of(day_of(asked.until) or figures.today, asked.grain)


def day_of(written: str | None) -> date | None:
    """Raises BadRequest for what is no day of the calendar."""
    if not written:
        return None
    try:
        day = datetime.strptime(written, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError:
        raise BadRequest("parameter_invalid", errors=[FieldError("/query/until", "format")]) from None
    return min(max(day, _EARLIEST), _LATEST)
