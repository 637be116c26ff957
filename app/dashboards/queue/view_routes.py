"""HTTP of the filters officers keep, and of what is put before supervisors."""

from typing import Any
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.answers import REPLAYED
from app.cases.tools import CaseTools
from app.dashboards.queue import escalation, saved
from app.dashboards.queue.schemas import EscalationPage, NewView, SavedView, SavedViews, Seen, SeenMany
from app.database import Connection, Database
from app.login.guards import OfficerRequest, officer
from app.login.officers.keyed import created
from app.parameters import Cursor, Limit, NeededKey
from app.problems import problems
from app.texts import Language

TAGS = ["officers"]
READS = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")
LEADS = officer("supervisor", "agency_head")
BODY = (413, 415, 422)


@get(
    "/v1/officer/views",
    opt=READS,
    operation_id="list_officer_views",
    summary="The filters I keep",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def list_officer_views(request: OfficerRequest, database: NamedDependency[Database]) -> SavedViews:
    async with database.connection() as connection:
        return await saved.saved_views(connection, request.user)


@post(
    "/v1/officer/views",
    status_code=200,
    opt=READS,
    operation_id="keep_officer_view",
    summary="Keep filters under a name",
    description="In place of those that had it. Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems("forbidden", "views_too_many", *BODY),
)
async def keep_officer_view(
    data: JSONBody[NewView],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    idempotency_key: NeededKey,
) -> Response[SavedView]:
    async def work(connection: Connection) -> SavedView:
        return await saved.keep_view(connection, request.user, data)

    return await created(request, cases, work, 200)


@delete(
    "/v1/officer/views/{view_id:uuid}",
    opt=READS,
    operation_id="drop_officer_view",
    summary="Forget filters I kept",
    tags=TAGS,
    responses=problems("view_not_found", "forbidden"),
)
async def drop_officer_view(
    view_id: FromPath[UUID], request: OfficerRequest, database: NamedDependency[Database]
) -> None:
    async with database.begin() as connection:
        await saved.drop_view(connection, request.user, view_id)


@get(
    "/v1/officer/escalations",
    opt=LEADS,
    operation_id="list_escalations",
    summary="Cases whose clock came near its end, or past it, that no supervisor has seen",
    tags=TAGS,
    responses=problems("cursor_invalid", "forbidden"),
)
async def list_escalations(
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    limit: Limit = 25,
    cursor: Cursor = None,
) -> EscalationPage:
    async with cases.database.connection() as connection:
        return await escalation.unseen(connection, request.user, cursor, limit, (cases, language))


@post(
    "/v1/officer/escalations/seen",
    status_code=200,
    opt=LEADS,
    operation_id="see_escalations",
    summary="Say that they were seen",
    tags=TAGS,
    responses=problems("forbidden", *BODY),
)
async def see_escalations(
    data: JSONBody[Seen], request: OfficerRequest, database: NamedDependency[Database]
) -> SeenMany:
    async with database.begin() as connection:
        return SeenMany(await escalation.mark_seen(connection, request.user, data.case_ids))


VIEW_ROUTES: list[Any] = [
    list_officer_views,
    keep_officer_view,
    drop_officer_view,
    list_escalations,
    see_escalations,
]
