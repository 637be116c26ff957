"""HTTP of the city's view."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import PathParameter

from app.answers import CONTENT_DISPOSITION, representations
from app.cases.tools import CaseTools
from app.dashboards.city.agencies import Span
from app.dashboards.city.reads import agencies_view, maturity_view, read_maturity, register, register_csv, span_of
from app.dashboards.city.schemas import AgenciesView, Maturity, MaturityView, RegisterView
from app.dashboards.figures.asked import DayAsked, GrainAsked, PeriodsAsked
from app.deliveries.acting import acting_of
from app.login.guards import OfficerRequest, officer
from app.problems import problems
from app.texts import Language

TAGS = ["officers"]
CITY = officer("city_admin", "auditor")
CSV = "text/csv"
# Of one month there are too few answers to a survey.
PERIODS = 3
Slug = Annotated[str, PathParameter(max_length=63, description="The service, as the catalogue names it.")]


def provide_span(
    cases: NamedDependency[CaseTools],
    grain: GrainAsked = "month",
    until: DayAsked = None,
    periods: PeriodsAsked = PERIODS,
) -> Span:
    return span_of(cases, grain, until, periods)


@get(
    "/v1/officer/city/agencies",
    opt=CITY,
    dependencies={"span": Provide(provide_span, sync_to_thread=False)},
    operation_id="compare_agencies",
    summary="Agencies side by side: handed in, on time, satisfaction, backlog, systems",
    description="Of so many weeks or months together; backlog and systems are as they stand now.",
    tags=TAGS,
    responses=problems("parameter_invalid", "forbidden"),
)
async def compare_agencies(
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    span: NamedDependency[Span],
    language: NamedDependency[Language],
) -> AgenciesView:
    async with cases.database.connection() as connection:
        return await agencies_view(connection, acting_of(request.user), cases, span, language)


@get(
    "/v1/officer/city/services",
    opt=CITY,
    operation_id="list_maturity",
    summary="Services by maturity, as measured, with the evidence of each level",
    description="Level 3 at least is what the law asks for. Counted by a worker every ten minutes.",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def list_maturity(cases: NamedDependency[CaseTools], language: NamedDependency[Language]) -> MaturityView:
    async with cases.database.connection() as connection:
        return await maturity_view(connection, cases, language)


@get(
    "/v1/officer/city/services/{slug:str}",
    opt=CITY,
    operation_id="read_maturity",
    summary="One service's maturity, with the evidence of each level",
    tags=TAGS,
    responses=problems("service_unknown", "forbidden"),
)
async def read_service_maturity(
    slug: Slug, cases: NamedDependency[CaseTools], language: NamedDependency[Language]
) -> Maturity:
    async with cases.database.connection() as connection:
        return await read_maturity(connection, cases, slug, language)


@get(
    "/v1/officer/city/register",
    opt=CITY,
    operation_id="read_register",
    summary="The register of services under the names of SIA-SPBE",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def read_register(cases: NamedDependency[CaseTools]) -> RegisterView:
    return RegisterView([dict(row) for row in register(cases)])


@get(
    "/v1/officer/city/register/csv",
    opt=CITY,
    operation_id="export_register",
    summary="The same as a file for spreadsheets",
    media_type=CSV,
    operation_class=representations(CSV, form=OpenAPIFormat.BINARY, also=False),
    response_headers=[CONTENT_DISPOSITION],
    tags=TAGS,
    responses=problems("forbidden"),
)
async def export_register(cases: NamedDependency[CaseTools]) -> Response[bytes]:
    headers = {"Content-Disposition": 'attachment; filename="layanan-spbe.csv"'}
    return Response(register_csv(register(cases)), media_type=CSV, headers=headers)


ROUTES: list[Any] = [compare_agencies, list_maturity, read_service_maturity, read_register, export_register]
