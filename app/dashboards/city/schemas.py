"""What the city's routes give."""

from datetime import date, datetime
from typing import Any

import msgspec

from app.dashboards.city.agencies import AgencyFigures
from app.dashboards.city.maturity import LevelView
from app.dashboards.figures.periods import Grain


class AgenciesView(msgspec.Struct):
    """Agencies side by side. `since`, `until`: first and last day of the weeks or months that the figures are of."""

    grain: Grain
    since: date
    until: date
    items: list[AgencyFigures]


class Maturity(msgspec.Struct):
    """One service. `level`: the highest reached, 0 for none; `meets_bar`: level 3, which the law asks for, or more.
    `measured_at` is null before anything was counted."""

    service: str
    title: str
    agency: str
    level: int
    meets_bar: bool
    measured_at: datetime | None
    levels: list[LevelView]


class MaturityView(msgspec.Struct):
    """Every service of the catalogue, by what was measured in the last 90 days."""

    window_days: int
    items: list[Maturity]


class RegisterView(msgspec.Struct):
    """The register of services, each under the names that SIA-SPBE asks for; what nobody has said is empty."""

    items: list[dict[str, Any]]
