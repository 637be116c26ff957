"""HTTP of the city's pages: agencies side by side, services by maturity, one service's evidence."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from app.cases.due import today
from app.cases.tools import CaseTools
from app.dashboards.city.agencies import AgencyFigures, Span
from app.dashboards.city.maturity import BAR
from app.dashboards.city.reads import agencies_view, maturity_view, read_maturity, span_of
from app.dashboards.city.routes import PERIODS, Slug, export_register
from app.dashboards.city.schemas import Maturity
from app.dashboards.figures.asked import MOST_PERIODS
from app.dashboards.figures.page_routes import DayChosen, GrainChosen
from app.dashboards.figures.periods import start_of
from app.dashboards.figures.pictures import Pictures
from app.deliveries.acting import acting_of
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.pages import PAGE, shown
from app.pages.charts import Chart, Series
from app.pages.navigation import Entry
from app.texts import Language, text

CITY, MATURITY = "/dashboard/city", "/dashboard/city/services"
ROLES = ("city_admin", "auditor")
SEES = officer_page("city_admin", "auditor")
LEVELS = (0, 1, 2, 3, 4, 5)
COUNTS = (1, 3, 6, 12)
PeriodsChosen = Annotated[int, QueryParameter(ge=1, le=MOST_PERIODS)]


def provide_span(
    cases: NamedDependency[CaseTools],
    grain: GrainChosen = "month",
    until: DayChosen = "",
    periods: PeriodsChosen = PERIODS,
) -> Span:
    return span_of(cases, "week" if grain == "week" else "month", until, periods)


@get(CITY, opt=SEES, dependencies={"span": Provide(provide_span, sync_to_thread=False)}, **PAGE)
async def city_page(
    request: OfficerRequest, cases: NamedDependency[CaseTools], span: NamedDependency[Span]
) -> Response[Any]:
    language = request.user.language
    async with cases.database.connection() as connection:
        agencies = await agencies_view(connection, acting_of(request.user), cases, span, language)
        services = (await maturity_view(connection, cases, language)).items
    busy = [each for each in agencies.items if each.handed_in or each.open]
    running = start_of(today(cases.catalog.timezone), span.grain)
    values = {
        "agencies": agencies.items,
        "since": agencies.since,
        "until": agencies.until,
        "span": span,
        "is_usual": span == Span("month", start_of(running, "month"), PERIODS),
        "choices": Pictures(language).choices(running, span.grain),
        "counts": [(count, _together(count, language)) for count in sorted({*COUNTS, span.periods})],
        "chart": agencies_chart(busy, language) if busy else None,
        "tiles": tiles_of(agencies.items, services),
    }
    return shown(request, "city/agencies", values)


@get(MATURITY, opt=SEES, **PAGE)
async def maturity_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    language = request.user.language
    async with cases.database.connection() as connection:
        found = await maturity_view(connection, cases, language)
    values = {
        "items": found.items,
        "days": found.window_days,
        "bar": BAR,
        "chart": levels_chart(found.items, language),
        "names": {each.id: each.short_name for each in cases.catalog.agencies()},
    }
    return shown(request, "city/maturity", values)


@get(f"{MATURITY}/{{slug:str}}", opt=SEES, **PAGE)
async def evidence_page(slug: Slug, request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    language = request.user.language
    async with cases.database.connection() as connection:
        found = await read_maturity(connection, cases, slug, language)
    agency = cases.catalog.agency(found.agency).name.into(language)
    return shown(request, "city/service", {"title": found.title, "service": found, "agency_name": agency, "bar": BAR})


@get(f"{CITY}/register", opt=SEES, **PAGE)
async def register_file(cases: NamedDependency[CaseTools]) -> Response[bytes]:
    answer: Response[bytes] = await export_register.fn(cases=cases)
    return answer


def agencies_chart(agencies: list[AgencyFigures], language: Language) -> Chart:
    """What was handed in and what was ended."""
    return Chart(
        "bar",
        text("city.chart.agencies", language),
        text("city.agencies.agency", language),
        [each.short_name for each in agencies],
        [
            Series(text("city.agencies.handed_in", language), [each.handed_in for each in agencies]),
            Series(text("city.agencies.ended", language), [each.ended for each in agencies]),
        ],
    )


def levels_chart(services: list[Maturity], language: Language) -> Chart:
    """How many services have reached each level."""
    counts = [sum(each.level == level for each in services) for level in LEVELS]
    labels = [text(f"city.short.{level}", language) for level in LEVELS]
    series = [Series(text("city.maturity.services", language), counts)]
    return Chart("bar", text("city.chart.levels", language), text("city.maturity.level", language), labels, series)


def tiles_of(agencies: list[AgencyFigures], services: list[Maturity]) -> dict[str, int]:
    return {
        "handed_in": sum(each.handed_in for each in agencies),
        "open": sum(each.open for each in agencies),
        "late": sum(each.late for each in agencies),
        "troubled": sum(each.troubled for each in agencies),
        "at_bar": sum(each.meets_bar for each in services),
        "services": len(services),
    }


def _together(count: int, language: Language) -> str:
    return text(f"city.agencies.periods.{'one' if count == 1 else 'many'}", language, {"count": count})


PAGE_ROUTES = [city_page, maturity_page, evidence_page, register_file]
NAVIGATION = [
    Entry(CITY, "city.agencies.title", ROLES, 50, "city"),
    Entry(MATURITY, "city.maturity.title", ROLES, 51, "list"),
]
