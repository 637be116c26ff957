"""HTTP of the operator's desk: deliveries."""

from typing import Annotated, Any, get_args
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from app.cases.schemas import DeliveryState
from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.cursor import decode_cursor
from app.database import Database
from app.deliveries import actions, desk, parked
from app.deliveries.acting import acting_of
from app.deliveries.backend_routes import BACKEND_ROUTES
from app.deliveries.schemas import (
    DeliveryDetail,
    DeliveryPage,
    ManyRetried,
    ParkedJobs,
    Resolution,
    RetriedMany,
    Retry,
)
from app.login.guards import OfficerRequest, officer
from app.parameters import Cursor, Limit
from app.problems import problems
from app.texts import Language

TAGS = ["officers"]
READS = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")
ACTS = officer("operator", "supervisor", "city_admin")
CITY_READS, CITY_ACTS = officer("city_admin", "auditor"), officer("city_admin")
BODY = (413, 415, 422)
CANNOT = ("delivery_settled", "delivery_under_way", "delivery_lane_busy")

StateFilter = Annotated[
    str | None,
    QueryParameter(
        name="state",
        pattern=f"^({'|'.join(get_args(DeliveryState))})$",
        description="Only those in this state; without it, all that wait.",
        schema_extra={"enum": list(get_args(DeliveryState))},
    ),
]
BackendFilter = Annotated[
    str | None, QueryParameter(max_length=64, pattern=r"^[a-z0-9_.-]+$", description="Only those for this system.")
]
ServiceFilter = Annotated[
    str | None, QueryParameter(max_length=63, pattern=r"^[a-z][a-z0-9-]*$", description="Only those of this service.")
]
ReasonFilter = Annotated[
    str | None, QueryParameter(max_length=40, pattern=r"^[a-z_]+$", description="Only those that wait for this reason.")
]
CaseFilter = Annotated[
    str | None,
    QueryParameter(max_length=24, pattern=r"^[0-9A-Z-]+$", description="Only those of this case, by its number."),
]
# Below what a JSON number holds exactly: others read the limit from the contract as one.
JobId = Annotated[int, PathParameter(ge=1, le=2**53 - 1)]


def provide_wanted(
    standing: StateFilter = None,
    backend: BackendFilter = None,
    service: ServiceFilter = None,
    reason: ReasonFilter = None,
    case: CaseFilter = None,
) -> desk.Wanted:
    return desk.Wanted(0, standing, backend, service, reason, case)


@get(
    "/v1/officer/deliveries",
    opt=READS,
    operation_id="list_deliveries",
    summary="What waits for an agency's system, longest first",
    description="With a reason in words. Officers see their own agency's; `city_admin` and `auditor` all.",
    dependencies={"wanted": Provide(provide_wanted, sync_to_thread=False)},
    tags=TAGS,
    responses=problems("cursor_invalid", "forbidden"),
)
async def list_deliveries(
    request: OfficerRequest,
    database: NamedDependency[Database],
    language: NamedDependency[Language],
    wanted: NamedDependency[desk.Wanted],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> DeliveryPage:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    page = desk.page_of(wanted, limit, after)
    async with database.connection() as connection:
        return await desk.list_deliveries(connection, acting_of(request.user), page, language)


@get(
    "/v1/officer/deliveries/{delivery_id:uuid}",
    opt=READS,
    operation_id="read_delivery",
    summary="One delivery: every try, what was sent and answered, and what officers did",
    description="What names or describes the citizen is masked, and was never stored otherwise. Every look is audited.",
    tags=TAGS,
    responses=problems("delivery_not_found", "forbidden"),
)
async def read_delivery(
    delivery_id: FromPath[UUID],
    request: OfficerRequest,
    database: NamedDependency[Database],
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> DeliveryDetail:
    async with database.begin() as connection:
        return await desk.read_delivery(connection, acting_of(request.user), delivery_id, cases, language)


@post(
    "/v1/officer/deliveries/{delivery_id:uuid}/retry",
    status_code=200,
    opt=ACTS,
    operation_id="retry_delivery",
    summary="Try a delivery now, and for another 72 hours",
    description="What may have arrived is looked up at the agency before anything is sent again.",
    tags=TAGS,
    responses=problems("delivery_not_found", "forbidden", *CANNOT, "delivery_needs_decision", *BODY),
)
async def retry_delivery(
    delivery_id: FromPath[UUID],
    data: JSONBody[Retry],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> DeliveryDetail:
    acting = acting_of(request.user)
    async with cases.database.begin() as connection:
        case_id = await actions.retry(connection, acting, delivery_id, data.reason, cases)
        shown = await desk.read_delivery(connection, acting, delivery_id, cases, language)
    _tell(cases, case_id)
    return shown


@post(
    "/v1/officer/deliveries/{delivery_id:uuid}/resolve",
    status_code=200,
    opt=ACTS,
    operation_id="resolve_delivery",
    summary="Say how a delivery ended, as you have found out",
    description="The agency has it, and under which number; it will not take it; or it has nothing: send it again. The "
    "first two count once another officer says the same: until then `proposal` has the first one's word.",
    tags=TAGS,
    responses=problems("delivery_not_found", "forbidden", *CANNOT, "delivery_not_sent_later", "reference_taken", *BODY),
)
async def resolve_delivery(
    delivery_id: FromPath[UUID],
    data: JSONBody[Resolution],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> DeliveryDetail:
    acting = acting_of(request.user)
    async with cases.database.begin() as connection:
        case_id = await actions.resolve(connection, acting, delivery_id, data, cases)
        shown = await desk.read_delivery(connection, acting, delivery_id, cases, language)
    _tell(cases, case_id)
    return shown


@post(
    "/v1/officer/deliveries/retry",
    status_code=200,
    opt=ACTS,
    operation_id="retry_deliveries",
    summary="Try many deliveries again: those named, or a backend's oldest that wait for an officer",
    tags=TAGS,
    responses=problems("forbidden", *BODY),
)
async def retry_deliveries(
    data: JSONBody[ManyRetried], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> RetriedMany:
    async with cases.database.begin() as connection:
        return await actions.retry_many(connection, acting_of(request.user), data, cases)


@get(
    "/v1/officer/jobs",
    opt=CITY_READS,
    operation_id="list_parked_jobs",
    summary="Jobs that failed in a way nobody foresaw",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def list_parked_jobs(database: NamedDependency[Database]) -> ParkedJobs:
    async with database.connection() as connection:
        return await parked.list_parked(connection)


@post(
    "/v1/officer/jobs/{job_id:int}/retry",
    status_code=204,
    opt=CITY_ACTS,
    operation_id="retry_parked_job",
    summary="Run a parked job once more",
    tags=TAGS,
    responses=problems("forbidden", "job_not_parked", *BODY),
)
async def retry_parked_job(
    job_id: JobId, data: JSONBody[Retry], request: OfficerRequest, database: NamedDependency[Database]
) -> None:
    async with database.begin() as connection:
        await parked.queue_again(connection, acting_of(request.user), job_id, data.reason)


def _tell(cases: CaseTools, case_id: UUID) -> None:
    cases.valkey.announce(CHANNEL, str(case_id).encode())


ROUTES: list[Any] = [
    list_deliveries,
    read_delivery,
    retry_delivery,
    resolve_delivery,
    retry_deliveries,
    list_parked_jobs,
    retry_parked_job,
    *BACKEND_ROUTES,
]
