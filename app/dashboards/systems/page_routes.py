"""HTTP of the pages of systems' health: all of them, one, and what an officer does about it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from app.backends.actions import Plan
from app.cases.tools import CaseTools
from app.dashboards.systems.desk_pages import DESK_PAGES
from app.dashboards.systems.pages import DESK, SYSTEMS, counts, list_values, system_values
from app.dashboards.systems.reads import read_system
from app.dashboards.systems.stray_pages import STRAY_PAGES
from app.database import Connection
from app.deliveries import backends
from app.deliveries.acting import acting_of
from app.deliveries.backend_routes import BackendName
from app.deliveries.maintenance import end_for, plan_for
from app.deliveries.schemas import Reason
from app.errors import FieldError, LoketError, Unprocessable
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, form_of, live_answer, shown
from app.pages.formats import number_in
from app.pages.navigation import Entry

EVERYBODY = ("operator", "supervisor", "agency_head", "city_admin", "auditor")
READS = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
MAY_ACT, MAY_PLAN = officer_page("operator", "supervisor", "city_admin"), officer_page("supervisor", "city_admin")
LocalTime = Annotated[str, Meta(max_length=16, pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d)?$")]


class ReasonForm(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason


class BreakerForm(msgspec.Struct, forbid_unknown_fields=True):
    """`operation` "" is all of the system's."""

    state: Literal["open", "closed", "auto"]
    reason: Reason
    operation: Annotated[str, Meta(max_length=64)] = ""


class PlanForm(msgspec.Struct, forbid_unknown_fields=True):
    """Times on the city's own clock, as a browser's field has them."""

    ends_at: LocalTime
    reason: Reason
    starts_at: LocalTime = ""
    service: Annotated[str, Meta(max_length=63)] = ""


@get(SYSTEMS, opt=READS, **PAGE)
async def systems_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async with cases.database.connection() as connection:
        found = await backends.list_backends(connection, acting_of(request.user), cases)
    return shown(request, "systems/list", list_values(found.items, request.user, cases))


@get(f"{SYSTEMS}/counts", opt=READS, **PAGE)
async def systems_counts(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    """What the tiles say now, for the page's script."""
    async with cases.database.connection() as connection:
        found = await backends.list_standing(connection, acting_of(request.user), cases)
    told = {name: number_in(count, request.user.language) for name, count in counts(found).items()}
    return live_answer(told)


@get(f"{SYSTEMS}/{{backend:str}}", opt=READS, **PAGE)
async def system_page(
    backend: BackendName, request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return await _page(request, backend, cases)


@post(f"{SYSTEMS}/{{backend:str}}/pause", opt=MAY_ACT, status_code=303, **PAGE)
async def pause_by_page(
    backend: BackendName, request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> str:
        reason = form_of(request, ReasonForm).reason
        await backends.pause_backend(connection, acting_of(request.user), backend, reason, cases)
        return "paused"

    return await _acted(request, backend, cases, work)


@post(f"{SYSTEMS}/{{backend:str}}/resume", opt=MAY_ACT, status_code=303, **PAGE)
async def resume_by_page(
    backend: BackendName, request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> str:
        reason = form_of(request, ReasonForm).reason
        await backends.resume_backend(connection, acting_of(request.user), backend, reason, cases)
        return "resumed"

    return await _acted(request, backend, cases, work)


@post(f"{SYSTEMS}/{{backend:str}}/breaker", opt=MAY_ACT, status_code=303, **PAGE)
async def hold_by_page(
    backend: BackendName, request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> str:
        held = form_of(request, BreakerForm)
        told = (held.operation, held.state, held.reason)
        await backends.hold_breaker_of(connection, acting_of(request.user), backend, told, cases)
        return "held"

    return await _acted(request, backend, cases, work)


@post(f"{SYSTEMS}/{{backend:str}}/maintenance", opt=MAY_PLAN, status_code=303, **PAGE)
async def plan_by_page(
    backend: BackendName, request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> str:
        plan = _plan(backend, form_of(request, PlanForm), cases)
        await plan_for(connection, acting_of(request.user), plan, cases)
        return "planned"

    return await _acted(request, backend, cases, work)


@post(f"{SYSTEMS}/{{backend:str}}/maintenance/{{window_id:uuid}}/end", opt=MAY_PLAN, status_code=303, **PAGE)
async def end_by_page(
    backend: BackendName, window_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> str:
        await end_for(connection, acting_of(request.user), window_id, cases)
        return "ended"

    return await _acted(request, backend, cases, work)


async def _acted(
    request: OfficerRequest, backend: str, cases: CaseTools, work: Callable[[Connection], Awaitable[str]]
) -> Response[Any]:
    """Do what the form says, and tell the other processes; `work` says what was done."""

    async def told() -> None:
        await cases.backends.controls.announce()
        await cases.backends.controls.look()

    async def done(connection: Connection) -> Done:
        return Done(f"{SYSTEMS}/{backend}?done={await work(connection)}", told)

    return await carried_out(request, cases.database, done, partial(_page, request, backend, cases))


def _plan(backend: str, form: PlanForm, cases: CaseTools) -> Plan:
    starts, ends = (_moment(name, getattr(form, name), cases) for name in ("starts_at", "ends_at"))
    if ends is None:
        raise Unprocessable(errors=[FieldError("/ends_at", "required")])
    return Plan(backend=backend, service=form.service, starts_at=starts, ends_at=ends, reason=form.reason)


def _moment(name: str, given: str, cases: CaseTools) -> datetime | None:
    """On the city's own clock."""
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).replace(tzinfo=cases.catalog.timezone)
    except ValueError:
        raise Unprocessable(errors=[FieldError(f"/{name}", "format")]) from None


async def _page(
    request: OfficerRequest, backend: str, cases: CaseTools, refusal: LoketError | None = None
) -> Response[Any]:
    async with cases.database.connection() as connection:
        system = await read_system(connection, acting_of(request.user), backend, cases)
    return shown(request, "systems/system", system_values(system, request.user, cases), refusal)


PAGE_ROUTES = [
    systems_page,
    systems_counts,
    system_page,
    pause_by_page,
    resume_by_page,
    hold_by_page,
    plan_by_page,
    end_by_page,
    *DESK_PAGES,
    *STRAY_PAGES,
]
NAVIGATION = [
    Entry(SYSTEMS, "systems.list.title", EVERYBODY, 40, "systems"),
    Entry(DESK, "systems.desk.title", EVERYBODY, 30, "desk"),
]
