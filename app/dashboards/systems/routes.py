"""HTTP of systems' health: one system in full, and maintenance that is planned and ended."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.answers import REPLAYED
from app.backends.actions import Plan, Window
from app.cases.tools import CaseTools
from app.dashboards.systems.reads import read_system
from app.dashboards.systems.schemas import MaintenanceWanted, SystemView
from app.database import Connection
from app.deliveries.acting import acting_of
from app.deliveries.backend_routes import READS, BackendName
from app.deliveries.backends import WindowView
from app.deliveries.maintenance import end_for, plan_for
from app.login.guards import OfficerRequest, officer
from app.login.officers.keyed import created
from app.parameters import NeededKey
from app.problems import problems

TAGS = ["officers"]
PLANS = officer("supervisor", "city_admin")
BODY = (413, 415, 422)


@get(
    "/v1/officer/backends/{backend:str}",
    opt=READS,
    operation_id="read_backend",
    summary="One system: operations, times, failures, the last day and month",
    description="Measured by every call of every process, in five minutes each; a call is seen here within seconds.",
    tags=TAGS,
    responses=problems("backend_unknown", "forbidden"),
)
async def read_one_backend(
    backend: BackendName, request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> SystemView:
    async with cases.database.connection() as connection:
        return await read_system(connection, acting_of(request.user), backend, cases)


@post(
    "/v1/officer/backends/{backend:str}/maintenance",
    opt=PLANS,
    operation_id="plan_maintenance",
    summary="Plan a time in which a system, or one of its services, is out of use",
    description="The catalogue tells it two weeks before. While it lasts, cases are taken, wait and say until "
    "when. Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems("backend_unknown", "service_unknown", "forbidden", *BODY),
)
async def plan_backend_maintenance(
    backend: BackendName,
    data: JSONBody[MaintenanceWanted],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    idempotency_key: NeededKey,
) -> Response[WindowView]:
    plan = Plan(
        backend=backend, service=data.service, starts_at=data.starts_at, ends_at=data.ends_at, reason=data.reason
    )

    async def work(connection: Connection) -> WindowView:
        return shown(await plan_for(connection, acting_of(request.user), plan, cases))

    answer = await created(request, cases, work)
    await cases.backends.controls.announce()
    return answer


@post(
    "/v1/officer/maintenance/{window_id:uuid}/end",
    status_code=200,
    opt=PLANS,
    operation_id="end_maintenance",
    summary="End maintenance now, or call it off; what waited is sent at the system's own rate",
    tags=TAGS,
    responses=problems("maintenance_unknown", "forbidden"),
)
async def end_backend_maintenance(
    window_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> WindowView:
    async with cases.database.begin() as connection:
        window = await end_for(connection, acting_of(request.user), window_id, cases)
    await cases.backends.controls.announce()
    return shown(window)


def shown(window: Window) -> WindowView:
    return WindowView(window.id, window.starts_at, window.ends_at, window.service, window.reason)


ROUTES: list[Any] = [read_one_backend, plan_backend_maintenance, end_backend_maintenance]
