"""HTTP of the page of exports: asking for one, seeing how far it is, fetching it."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.cases.tools import CaseTools
from app.dashboards.exports import actions
from app.dashboards.exports.pages import IfRange, Range, deleting, how_far, own_exports
from app.dashboards.exports.record_pages import RECORD_PAGES
from app.dashboards.exports.schemas import ExportWanted, Format, Kind
from app.dashboards.exports.sending import fetched
from app.dashboards.figures.page_routes import TABS
from app.database import Connection
from app.errors import LoketError
from app.login.guards import Officer, OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, form_of, shown
from app.problems import converted
from app.texts import Language

EXPORTS = officer_page("supervisor", "agency_head", "city_admin")
PATH = "/dashboard/figures/exports"
_Day = Annotated[str, msgspec.Meta(max_length=10, pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]


class ExportForm(msgspec.Struct, forbid_unknown_fields=True):
    """What a form leaves open it sends as nothing."""

    kind: Kind
    format: Format
    service: Annotated[str, msgspec.Meta(max_length=63, pattern="^[a-z0-9-]*$")] = ""
    agency: Annotated[str, msgspec.Meta(max_length=41, pattern="^[a-z0-9_]*$")] = ""
    from_on: _Day = ""
    until_on: _Day = ""


@get(PATH, opt=EXPORTS, **PAGE)
async def exports_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return await _shown(request, cases)


@post(PATH, opt=EXPORTS, **PAGE)
async def ask_on_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form = form_of(request, ExportForm)
        given = {name: value or None for name, value in msgspec.structs.asdict(form).items()}
        wanted = converted(given, ExportWanted)
        await actions.ask_for_export(connection, request.user, wanted, request.user.language, cases)
        return Done(f"{PATH}?done=asked")

    return await carried_out(request, cases.database, work, partial(_shown, request, cases))


@get(f"{PATH}/{{export_id:uuid}}", opt=EXPORTS, **PAGE)
async def live_export(
    export_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return await how_far(request, cases, export_id)


@get(f"{PATH}/{{export_id:uuid}}/file", opt=EXPORTS, **PAGE)
async def fetch_on_page(
    export_id: FromPath[UUID],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    asked: Range = "",
    unless_changed: IfRange = "",
) -> Response[Any]:
    return await fetched(request.user, cases, export_id, (asked, unless_changed))


@post(f"{PATH}/{{export_id:uuid}}/delete", opt=EXPORTS, **PAGE)
async def delete_on_page(
    export_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return await carried_out(
        request, cases.database, deleting(request, cases, export_id, PATH), partial(_shown, request, cases)
    )


async def _shown(request: OfficerRequest, cases: CaseTools, refusal: LoketError | None = None) -> Response[Any]:
    async with cases.database.connection() as connection:
        own = await own_exports(connection, request.user, PATH)
    language: Language = request.user.language
    values = {
        "tabs": TABS,
        **own,
        "services": _services(request.user, cases, language),
        "agencies": _agencies(request.user, cases),
        "titles": {service.slug: service.title.into(language) for service in cases.catalog.services()},
    }
    return shown(request, "exports/exports", values, refusal)


def _services(officer: Officer, cases: CaseTools, language: Language) -> list[tuple[str, str]]:
    return [
        (service.slug, service.title.into(language))
        for service in cases.catalog.services()
        if service.backends and officer.agency in ("", service.agency_id)
    ]


def _agencies(officer: Officer, cases: CaseTools) -> list[tuple[str, str]]:
    return [] if officer.agency else [(agency.id, agency.short_name) for agency in cases.catalog.agencies()]


PAGE_ROUTES = [exports_page, ask_on_page, live_export, fetch_on_page, delete_on_page, *RECORD_PAGES]
NAVIGATION: list[Any] = []
