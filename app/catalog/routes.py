"""HTTP of the public catalogue: agencies, services, one service. No login, the same for everybody."""

from bisect import bisect_right
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from app.answers import CONTENT_LANGUAGE, ETAG
from app.backends.controls import Controls
from app.catalog.catalog import Catalog, CatalogService
from app.catalog.health import HealthBoard
from app.catalog.published import Published, public_answer
from app.catalog.schemas import AgencyPage, MaintenanceView, ServiceDetail, ServicePage, Standing
from app.catalog.search import Search, SearchCursor, search
from app.catalog.views import agency_page, service_detail, service_view
from app.cursor import decode_cursor, encode_cursor
from app.database import Database
from app.login.guards import PUBLIC
from app.parameters import Cursor, Limit
from app.problems import problems
from app.texts import Language

TAGS = ["catalogue"]
TOLD = [ETAG, CONTENT_LANGUAGE]
NOT_MODIFIED = {304: ResponseSpec(None, generate_examples=False, description="You have it already (If-None-Match)")}
Query = Annotated[str | None, QueryParameter(max_length=200, description="Words, in Indonesian or English.")]
AgencyFilter = Annotated[
    str | None, QueryParameter(max_length=41, pattern=r"^[a-z][a-z0-9_]*$", description="An agency's `id`.")
]
LifeEvent = Annotated[
    str | None,
    QueryParameter(max_length=63, pattern=r"^[a-z][a-z0-9-]*$", description="One of a service's `life_events`."),
]


class CatalogTools(msgspec.Struct, frozen=True):
    """What the catalogue's room works with, once per process."""

    catalog: Catalog
    database: Database
    health: HealthBoard
    controls: Controls
    published: Published


class Wanted(msgspec.Struct, frozen=True):
    """Which services are asked for."""

    q: str
    agency: str | None
    life_event: str | None
    limit: int
    cursor: str | None


def provide_tools(
    request: Request[Any, Any, Any], catalog: NamedDependency[Catalog], database: NamedDependency[Database]
) -> CatalogTools:
    state = request.app.state
    tools: CatalogTools | None = state.get("catalog_tools")
    if tools is None:
        controls = state["cases"].backends.controls
        tools = state["catalog_tools"] = CatalogTools(catalog, database, HealthBoard(database), controls, Published())
    return tools


TOOLS = {"catalog_tools": Provide(provide_tools, sync_to_thread=False)}


@get(
    "/v1/agencies",
    opt=PUBLIC,
    operation_id="list_agencies",
    summary="Agencies with their service modules",
    tags=TAGS,
    dependencies=TOOLS,
    response_headers=TOLD,
    responses={**problems(public=True), **NOT_MODIFIED},
)
async def list_agencies(
    request: Request[Any, Any, Any],
    catalog_tools: NamedDependency[CatalogTools],
    language: NamedDependency[Language],
) -> Response[AgencyPage]:
    async def make() -> AgencyPage:
        return agency_page(catalog_tools.catalog, language)

    answer = await catalog_tools.published.get(("agencies", language), make)
    return public_answer(request, answer, language)


@get(
    "/v1/services",
    opt=PUBLIC,
    operation_id="list_services",
    summary="The catalogue, or a search in it",
    description="With `q` the best match first: word forms, synonyms and typing slips are understood. Else by title.",
    tags=TAGS,
    dependencies=TOOLS,
    response_headers=TOLD,
    responses={**problems(public=True), **NOT_MODIFIED},
)
async def list_services(
    request: Request[Any, Any, Any],
    catalog_tools: NamedDependency[CatalogTools],
    language: NamedDependency[Language],
    q: Query = None,
    agency: AgencyFilter = None,
    life_event: LifeEvent = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response[ServicePage]:
    wanted = Wanted((q or "").strip(), agency, life_event, limit, cursor)

    async def make() -> ServicePage:
        find = _found if wanted.q else _listed
        services, following = await find(catalog_tools, wanted)
        items = [service_view(catalog_tools.catalog, service, language) for service in services]
        return ServicePage(items, encode_cursor(following) if following else None)

    answer = await catalog_tools.published.get(("services", language, wanted), make)
    return public_answer(request, answer, language)


@get(
    "/v1/services/{slug:str}",
    opt=PUBLIC,
    operation_id="read_service",
    summary="One service: its standard, form and availability",
    tags=TAGS,
    dependencies=TOOLS,
    response_headers=TOLD,
    responses={**problems("service_unknown", public=True), **NOT_MODIFIED},
)
async def read_service(
    request: Request[Any, Any, Any],
    catalog_tools: NamedDependency[CatalogTools],
    language: NamedDependency[Language],
    slug: FromPath[str],
) -> Response[ServiceDetail]:
    service = catalog_tools.catalog.service(slug)
    standing = await _standing(catalog_tools, service)

    async def make() -> ServiceDetail:
        return service_detail(catalog_tools.catalog, service, standing, language)

    answer = await catalog_tools.published.get(("service", language, slug, standing), make)
    return public_answer(request, answer, language)


ROUTES = [list_agencies, list_services, read_service]

_Page = tuple[list[CatalogService], tuple[str, str] | SearchCursor | None]


async def _standing(tools: CatalogTools, service: CatalogService) -> Standing | None:
    """None for what is only a link: nothing of ours calls those systems, so nothing is known of them."""
    if service.manifest.mode != "api":
        return None
    planned = tools.controls.planned(service.backends, service.slug)
    told = MaintenanceView(planned.starts_at, planned.ends_at) if planned else None
    if planned is not None and planned.is_on:
        return Standing("maintenance", told)
    return Standing(await tools.health.of(service.backends), told)


async def _found(tools: CatalogTools, wanted: Wanted) -> _Page:
    after = decode_cursor(wanted.cursor, SearchCursor) if wanted.cursor is not None else None
    asked = Search(wanted.q, wanted.agency, wanted.life_event, wanted.limit, after)
    async with tools.database.transaction() as session:
        hits = await search(session, asked)
    # A newer release may have written entries that this process does not know yet.
    found = [service for slug in hits.slugs if (service := tools.catalog.find(slug)) is not None]
    return found, hits.after


async def _listed(tools: CatalogTools, wanted: Wanted) -> _Page:
    after = decode_cursor(wanted.cursor, tuple[str, str]) if wanted.cursor is not None else ("", "")
    fitting = [
        service
        for service in tools.catalog.services()
        if wanted.agency in (None, service.agency_id)
        and (wanted.life_event is None or wanted.life_event in service.manifest.life_events)
    ]
    fitting.sort(key=_by_title)
    start = bisect_right(fitting, after, key=_by_title)
    page = fitting[start : start + wanted.limit]
    return page, _by_title(page[-1]) if start + wanted.limit < len(fitting) else None


def _by_title(service: CatalogService) -> tuple[str, str]:
    # By the Indonesian title in either language: a reader who changes the language keeps the place.
    return service.title.id.casefold(), service.slug
