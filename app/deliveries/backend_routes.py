"""HTTP of the operator's desk: the agencies' systems."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from app.cases.tools import CaseTools
from app.deliveries import backends
from app.deliveries.acting import Acting, acting_of
from app.deliveries.backends import BackendList, BackendView, Hold
from app.deliveries.schemas import Reason
from app.login.guards import OfficerRequest, officer
from app.problems import problems

TAGS = ["officers"]
READS = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")
ACTS = officer("operator", "supervisor", "city_admin")
BODY = (413, 415, 422)
BackendName = Annotated[str, PathParameter(max_length=64, description="The system's name, as the list has it.")]


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for whoever asks later."""

    reason: Reason


class BreakerHold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`open`: nothing leaves; `closed`: everything does; `auto`: it decides by itself again. Without `operation` all of
    the system's."""

    state: Annotated[Hold, msgspec.Meta(examples=["auto"])]
    reason: Reason
    operation: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[a-z0-9_]*$", examples=["register"])] = ""


@get(
    "/v1/officer/backends",
    opt=READS,
    operation_id="list_backends",
    summary="The agencies' systems: what waits for each, pauses, breakers",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def list_backends(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> BackendList:
    async with cases.database.connection() as connection:
        return await backends.list_backends(connection, acting_of(request.user), cases)


@post(
    "/v1/officer/backends/{backend:str}/pause",
    status_code=200,
    opt=ACTS,
    operation_id="pause_backend",
    summary="Send nothing more to a system; cases for it wait",
    tags=TAGS,
    responses=problems("backend_unknown", "forbidden", "paused_already", *BODY),
)
async def pause_backend(
    backend: BackendName, data: JSONBody[Decision], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> BackendView:
    acting = acting_of(request.user)
    async with cases.database.begin() as connection:
        await backends.pause_backend(connection, acting, backend, data.reason, cases)
    return await _as_it_is(acting, backend, cases)


@post(
    "/v1/officer/backends/{backend:str}/resume",
    status_code=200,
    opt=ACTS,
    operation_id="resume_backend",
    summary="End a system's pause; what waited is sent at its own rate",
    tags=TAGS,
    responses=problems("backend_unknown", "maintenance_unknown", "forbidden", *BODY),
)
async def resume_backend(
    backend: BackendName, data: JSONBody[Decision], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> BackendView:
    acting = acting_of(request.user)
    async with cases.database.begin() as connection:
        await backends.resume_backend(connection, acting, backend, data.reason, cases)
    return await _as_it_is(acting, backend, cases)


@post(
    "/v1/officer/backends/{backend:str}/breaker",
    status_code=200,
    opt=ACTS,
    operation_id="hold_breaker",
    summary="Hold a system's breaker by hand, or let it decide by itself again",
    tags=TAGS,
    responses=problems("backend_unknown", "forbidden", *BODY),
)
async def hold_breaker(
    backend: BackendName, data: JSONBody[BreakerHold], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> BackendView:
    acting = acting_of(request.user)
    held = (data.operation, data.state, data.reason)
    async with cases.database.begin() as connection:
        await backends.hold_breaker_of(connection, acting, backend, held, cases)
    return await _as_it_is(acting, backend, cases)


async def _as_it_is(acting: Acting, backend: str, cases: CaseTools) -> BackendView:
    """After the commit: every process hears of it, and the answer has it."""
    await cases.backends.controls.announce()
    await cases.backends.controls.look()
    async with cases.database.connection() as connection:
        return await backends.read_backend(connection, acting, backend, cases)


BACKEND_ROUTES = [list_backends, pause_backend, resume_backend, hold_breaker]
