"""HTTP of the operator's desk: what agencies' systems told about nothing of ours."""

from typing import Annotated, get_args
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.callbacks import desk
from app.callbacks.desk import Dismissal, Dismissed, StrayPage, StrayState, Wanted
from app.cases.tools import CaseTools
from app.cursor import decode_cursor
from app.deliveries.acting import acting_of
from app.login.guards import OfficerRequest, officer
from app.parameters import Cursor, Limit
from app.problems import problems

TAGS = ["officers"]
READS = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")
ACTS = officer("operator", "supervisor", "city_admin")
StateFilter = Annotated[
    str,
    QueryParameter(
        name="state",
        pattern=f"^({'|'.join(get_args(StrayState))})$",
        description="Only those in this state.",
        schema_extra={"enum": list(get_args(StrayState))},
    ),
]
BackendFilter = Annotated[
    str, QueryParameter(max_length=64, pattern=r"^[a-z0-9_.-]*$", description="Only those of this system.")
]


@get(
    "/v1/officer/callbacks",
    opt=READS,
    operation_id="list_stray_callbacks",
    summary="What agencies' systems told about nothing of ours, longest waiting first",
    description="Proven to come from them. Each is acted on by itself once a case or message of ours has its "
    "reference, and is gone 30 days after it was told. Officers see their agency's; `city_admin` and `auditor` all.",
    tags=TAGS,
    responses=problems("cursor_invalid", "forbidden"),
)
async def list_stray_callbacks(
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    standing: StateFilter = "waiting",
    backend: BackendFilter = "",
    limit: Limit = 20,
    cursor: Cursor = None,
) -> StrayPage:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    wanted = Wanted(limit, standing, backend, after)
    async with cases.database.connection() as connection:
        return await desk.list_strays(connection, acting_of(request.user), wanted, cases.vault)


@post(
    "/v1/officer/callbacks/dismiss",
    status_code=200,
    opt=ACTS,
    operation_id="dismiss_stray_callbacks",
    summary="Say that nothing will come of these, and why",
    tags=TAGS,
    responses=problems("forbidden", 413, 415, 422),
)
async def dismiss_stray_callbacks(
    data: JSONBody[Dismissal], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Dismissed:
    async with cases.database.begin() as connection:
        return await desk.dismiss(connection, acting_of(request.user), data, cases.vault)


OFFICER_ROUTES = [list_stray_callbacks, dismiss_stray_callbacks]
