"""HTTP of the pages of figures: an overview by week or month, the backlog, the satisfaction survey."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from app.catalog.catalog import Catalog
from app.dashboards.figures.asked import Asked, day_of, scope_of
from app.dashboards.figures.compared import refused_share, share, tiles, timely
from app.dashboards.figures.periods import before, start_of
from app.dashboards.figures.pictures import Pictures
from app.dashboards.figures.reading import Figures, Scope
from app.database import Database
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.pages import PAGE, shown
from app.pages.navigation import Entry
from app.texts import Language, has_text, text

EVERYBODY = ("operator", "supervisor", "agency_head", "city_admin", "auditor")
READS = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
OVERVIEW, BACKLOG, SURVEY = "/dashboard/figures", "/dashboard/figures/backlog", "/dashboard/figures/survey"
TABS = ((OVERVIEW, "overview"), (BACKLOG, "backlog"), (SURVEY, "survey"), (f"{OVERVIEW}/exports", "exports"))
EXPORTERS = ("supervisor", "agency_head", "city_admin")
PERIODS = 13

# A form sends what was left open as nothing.
GrainChosen = Annotated[str, QueryParameter(pattern="^(week|month)?$")]
DayChosen = Annotated[str, QueryParameter(max_length=10)]
AgencyChosen = Annotated[str, QueryParameter(max_length=41, pattern="^[a-z0-9_]*$")]
ServiceChosen = Annotated[str, QueryParameter(max_length=63, pattern="^[a-z0-9-]*$")]
MonthsChosen = Annotated[int, QueryParameter(ge=1, le=36)]


class Looking(msgspec.Struct, frozen=True):
    """An officer before a page of figures."""

    request: OfficerRequest
    figures: Figures
    catalog: Catalog
    asked: Asked
    scope: Scope

    @property
    def language(self) -> Language:
        return self.request.user.language

    def common(self, path: str) -> dict[str, Any]:
        """What every page of figures shows around its own."""
        officer = self.request.user
        services = [
            (service.slug, service.title.into(self.language))
            for service in self.catalog.services()
            if service.backends and self.scope.agency in ("", service.agency_id)
        ]
        agencies = [(agency.id, agency.short_name) for agency in self.catalog.agencies()]
        return {
            "path": path,
            "asked": self.asked,
            "scope": self.scope,
            "services": services,
            "agencies": [] if officer.agency else agencies,
            "agency_names": dict(agencies),
            "tabs": [(to, key) for to, key in TABS if key != "exports" or officer.role in EXPORTERS],
            "reason": self.reason,
            "timely": timely,
            "share": share,
            "refused_share": refused_share,
        }

    def reason(self, code: str) -> str:
        """Why a case was refused, as short as a table wants it."""
        key = f"figures.reason.{code}"
        return text(key, self.language) if has_text(key) else code.replace("_", " ")


def provide_asked(
    grain: GrainChosen = "month", until: DayChosen = "", agency: AgencyChosen = "", service: ServiceChosen = ""
) -> Asked:
    return Asked("week" if grain == "week" else "month", until, agency, service)


def provide_looking(
    request: OfficerRequest,
    database: NamedDependency[Database],
    catalog: NamedDependency[Catalog],
    asked: NamedDependency[Asked],
) -> Looking:
    figures = Figures(database, catalog, request.user.language)
    return Looking(request, figures, catalog, asked, scope_of(request.user, asked))


LOOKING = {
    "asked": Provide(provide_asked, sync_to_thread=False),
    "looking": Provide(provide_looking, sync_to_thread=False),
}


@get(OVERVIEW, opt=READS, dependencies=LOOKING, **PAGE)
async def figures_page(looking: NamedDependency[Looking]) -> Response[Any]:
    asked, figures, pictures = looking.asked, looking.figures, Pictures(looking.language)
    running = start_of(figures.today, asked.grain)
    # What is over says more than what has begun.
    day = day_of(asked.until)
    start = start_of(day, asked.grain) if day else before(running, asked.grain)
    view = await figures.series(looking.scope, asked.grain, start, PERIODS)
    services = await figures.services(looking.scope, asked.grain, start)
    values = {
        "view": view,
        "by_service": services,
        "tiles": tiles(services.total, asked.grain, looking.language, is_over=services.is_over),
        "charts": pictures.of(view),
        "chosen": start.isoformat(),
        "choices": pictures.choices(running, asked.grain),
    }
    return shown(looking.request, "figures/overview", {**looking.common(OVERVIEW), **values})


@get(BACKLOG, opt=READS, dependencies=LOOKING, **PAGE)
async def backlog_page(looking: NamedDependency[Looking]) -> Response[Any]:
    view = await looking.figures.backlog(looking.scope)
    values = {"view": view, "chart": Pictures(looking.language).backlog(view)}
    return shown(looking.request, "figures/backlog", {**looking.common(BACKLOG), **values})


@get(SURVEY, opt=READS, dependencies=LOOKING, **PAGE)
async def survey_page(looking: NamedDependency[Looking], months: MonthsChosen = 12) -> Response[Any]:
    figures, pictures = looking.figures, Pictures(looking.language)
    running = start_of(figures.today, "month")
    last = start_of(day_of(looking.asked.until) or figures.today, "month")
    view = await figures.survey(looking.scope, last, months)
    values = {
        "view": view,
        "chart": pictures.survey(view.result),
        "months": months,
        "chosen": last.isoformat(),
        "choices": pictures.choices(running, "month"),
    }
    return shown(looking.request, "figures/survey", {**looking.common(SURVEY), **values})


PAGE_ROUTES = [figures_page, backlog_page, survey_page]
NAVIGATION = [Entry(OVERVIEW, "figures.menu", EVERYBODY, 30, "figures")]
