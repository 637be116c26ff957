"""HTTP of the figures, so that an agency can draw its own dashboard."""

from litestar import get
from litestar.di import NamedDependency, Provide

from app.catalog.catalog import Catalog
from app.dashboards.figures.asked import (
    AgencyAsked,
    Asked,
    DayAsked,
    GrainAsked,
    MonthsAsked,
    PeriodsAsked,
    ServiceAsked,
    newest,
    scope_of,
)
from app.dashboards.figures.reading import Figures
from app.dashboards.figures.schemas import BacklogView, FiguresView, ServicesView, SurveyFigures
from app.database import Database
from app.login.guards import OfficerRequest, officer
from app.problems import problems
from app.texts import Language

TAGS = ["officers"]
READS = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")
REFUSED = ("parameter_invalid", "agency_unknown", "forbidden")


def provide_figures(
    database: NamedDependency[Database], catalog: NamedDependency[Catalog], language: NamedDependency[Language]
) -> Figures:
    return Figures(database, catalog, language)


def provide_asked(
    grain: GrainAsked = "month", until: DayAsked = None, agency: AgencyAsked = None, service: ServiceAsked = None
) -> Asked:
    return Asked(grain, until, agency, service)


def provide_place(agency: AgencyAsked = None, service: ServiceAsked = None) -> Asked:
    return Asked(agency=agency, service=service)


def provide_months(until: DayAsked = None, agency: AgencyAsked = None, service: ServiceAsked = None) -> Asked:
    return Asked("month", until, agency, service)


FIGURES = Provide(provide_figures, sync_to_thread=False)
ASKED = Provide(provide_asked, sync_to_thread=False)


@get(
    "/v1/officer/figures",
    opt=READS,
    dependencies={"figures": FIGURES, "asked": ASKED},
    operation_id="read_figures",
    summary="Cases handed in, ended, on time; days, refusals, ratings: by week or month, and a year before",
    tags=TAGS,
    responses=problems(*REFUSED),
)
async def read_figures(
    request: OfficerRequest,
    figures: NamedDependency[Figures],
    asked: NamedDependency[Asked],
    periods: PeriodsAsked = 13,
) -> FiguresView:
    return await figures.series(scope_of(request.user, asked), asked.grain, newest(figures, asked), periods)


@get(
    "/v1/officer/figures/services",
    opt=READS,
    dependencies={"figures": FIGURES, "asked": ASKED},
    operation_id="read_service_figures",
    summary="One week or month by service, beside the one before and the same a year before",
    tags=TAGS,
    responses=problems(*REFUSED),
)
async def read_services(
    request: OfficerRequest, figures: NamedDependency[Figures], asked: NamedDependency[Asked]
) -> ServicesView:
    return await figures.services(scope_of(request.user, asked), asked.grain, newest(figures, asked))


@get(
    "/v1/officer/figures/backlog",
    opt=READS,
    dependencies={"figures": FIGURES, "asked": Provide(provide_place, sync_to_thread=False)},
    operation_id="read_backlog",
    summary="What is open now, by age in working days, and what of it is late",
    tags=TAGS,
    responses=problems("agency_unknown", "forbidden"),
)
async def read_backlog(
    request: OfficerRequest, figures: NamedDependency[Figures], asked: NamedDependency[Asked]
) -> BacklogView:
    return await figures.backlog(scope_of(request.user, asked))


@get(
    "/v1/officer/figures/survey",
    opt=READS,
    dependencies={"figures": FIGURES, "asked": Provide(provide_months, sync_to_thread=False)},
    operation_id="read_survey_figures",
    summary="The satisfaction survey: nine averages, index and grade, and whether there are answers enough",
    description="By regulation PANRB 14/2017, over whole months.",
    tags=TAGS,
    responses=problems(*REFUSED),
)
async def read_survey_figures(
    request: OfficerRequest,
    figures: NamedDependency[Figures],
    asked: NamedDependency[Asked],
    months: MonthsAsked = 12,
) -> SurveyFigures:
    return await figures.survey(scope_of(request.user, asked), newest(figures, asked), months)


ROUTES = [read_figures, read_services, read_backlog, read_survey_figures]
