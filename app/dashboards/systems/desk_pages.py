"""HTTP of the desk's pages: what waits for agencies' systems, one delivery with its tries, and its ways out."""

from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from app.cases.schemas import DeliveryState
from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.cursor import MAX_LENGTH, decode_cursor
from app.dashboards.systems.pages import ACTS, DESK, desk_values
from app.database import Connection
from app.deliveries import actions, desk
from app.deliveries.acting import acting_of
from app.deliveries.four_eyes import proposal_of
from app.deliveries.schemas import ManyRetried, Reason, Resolution
from app.errors import LoketError
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, form_of, query_of, shown
from app.problems import converted

READS = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
MAY_ACT = officer_page("operator", "supervisor", "city_admin")
PAGE_ROWS = 25


class DeskQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The list's address."""

    state: DeliveryState | Literal[""] = ""
    backend: Annotated[str, Meta(max_length=64)] = ""
    reason: Annotated[str, Meta(max_length=40)] = ""
    case: Annotated[str, Meta(max_length=24)] = ""
    cursor: Annotated[str, Meta(max_length=MAX_LENGTH)] = ""
    done: Annotated[str, Meta(max_length=40)] = ""


class RetryForm(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason


class ManyForm(msgspec.Struct, forbid_unknown_fields=True):
    """Those that are ticked; of `backend`, where one is named, the oldest that wait for an officer."""

    ids: Annotated[list[UUID], Meta(max_length=100)]
    reason: Reason
    backend: Annotated[str, Meta(max_length=64)] = ""


class ResolveForm(msgspec.Struct, forbid_unknown_fields=True):
    outcome: Literal["delivered", "rejected", "send_again"]
    reason: Reason
    # A browser sends what was left empty, too.
    reference: Annotated[str, Meta(max_length=100, pattern=r"^([!-~]([ -~]*[!-~])?)?$")] = ""


@get(DESK, opt=READS, **PAGE)
async def desk_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return await _list(request, cases)


@get(f"{DESK}/{{delivery_id:uuid}}", opt=READS, **PAGE)
async def delivery_page(
    delivery_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return await _one(request, delivery_id, cases)


@post(f"{DESK}/{{delivery_id:uuid}}/retry", opt=MAY_ACT, status_code=303, **PAGE)
async def retry_by_page(
    delivery_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form = form_of(request, RetryForm)
        case_id = await actions.retry(connection, acting_of(request.user), delivery_id, form.reason, cases)
        return Done(f"{DESK}/{delivery_id}?done=retried", partial(_told, cases, case_id))

    return await carried_out(request, cases.database, work, partial(_one, request, delivery_id, cases))


@post(f"{DESK}/{{delivery_id:uuid}}/resolve", opt=MAY_ACT, status_code=303, **PAGE)
async def resolve_by_page(
    delivery_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form = form_of(request, ResolveForm)
        resolution = Resolution(form.outcome, form.reason, form.reference or None)
        case_id = await actions.resolve(connection, acting_of(request.user), delivery_id, resolution, cases)
        waits = await proposal_of(connection, delivery_id) is not None
        done = "proposed" if waits else form.outcome
        return Done(f"{DESK}/{delivery_id}?done={done}", partial(_told, cases, case_id))

    return await carried_out(request, cases.database, work, partial(_one, request, delivery_id, cases))


@post(f"{DESK}/retry", opt=MAY_ACT, status_code=303, **PAGE)
async def retry_many_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form = form_of(request, ManyForm, lists=("ids",))
        asked = ManyRetried(form.reason, form.ids, form.backend)
        done = await actions.retry_many(connection, acting_of(request.user), asked, cases)
        return Done(f"{DESK}?done={'some' if done.refused else 'many' if done.retried else 'none'}")

    return await carried_out(request, cases.database, work, partial(_list, request, cases))


async def _told(cases: CaseTools, case_id: UUID) -> None:
    cases.valkey.announce(CHANNEL, str(case_id).encode())


async def _list(request: OfficerRequest, cases: CaseTools, refusal: LoketError | None = None) -> Response[Any]:
    query = converted(query_of(request), DeskQuery, strict=False)
    after = decode_cursor(query.cursor, tuple[UUID])[0] if query.cursor else None
    wanted = desk.Wanted(
        PAGE_ROWS, query.state or None, query.backend or None, None, query.reason or None, query.case or None, after
    )
    acting = acting_of(request.user)
    async with cases.database.connection() as connection:
        page = await desk.list_deliveries(connection, acting, wanted, request.user.language)
    systems = {name: each.title for name, each in cases.systems.items() if acting.agency in ("", each.agency)}
    chosen = {name: value for name, value in msgspec.to_builtins(query).items() if name not in ("cursor", "done")}
    values = {
        **desk_values(page.items, systems, request.user.language),
        "query": query,
        "is_filtered": bool(chosen),
        "acts": request.user.role in ACTS,
        "next": f"{DESK}?{urlencode({**chosen, 'cursor': page.next_cursor})}" if page.next_cursor else "",
        "first": f"{DESK}?{urlencode(chosen)}" if query.cursor else "",
    }
    return shown(request, "systems/desk", values, refusal)


async def _one(
    request: OfficerRequest, delivery_id: UUID, cases: CaseTools, refusal: LoketError | None = None
) -> Response[Any]:
    async with cases.database.begin() as connection:
        found = await desk.read_delivery(connection, acting_of(request.user), delivery_id, cases, request.user.language)
    service = cases.catalog.find(found.service)
    values = {
        "title": found.case_number,
        "delivery": found,
        "service": service.manifest.title.into(request.user.language) if service else found.service,
        "system": cases.systems[found.backend].title if found.backend in cases.systems else found.backend,
        "acts": request.user.role in ACTS and found.state not in ("delivered", "rejected"),
        "zone": cases.catalog.timezone,
    }
    return shown(request, "systems/delivery", values, refusal)


DESK_PAGES = [desk_page, delivery_page, retry_by_page, resolve_by_page, retry_many_by_page]
