"""HTTP of officers' cases: the queue, a case, and what is done with them."""

import asyncio
from typing import Annotated, Any, get_args
from urllib.parse import quote
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, JSONBody, QueryParameter

from app.answers import CONTENT_DISPOSITION, REPLAYED, representations
from app.cases.attachments import MEDIA_TYPES
from app.cases.due import today
from app.cases.photos import without_metadata
from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.dashboards.queue import acting, listing, reading
from app.dashboards.queue.schemas import (
    Assigned,
    Assignment,
    CaseCounts,
    CitizenSought,
    NewNote,
    NewQuestion,
    OfficerCase,
    OfficerCaseItem,
    OfficerCasePage,
    RefreshState,
)
from app.dashboards.queue.view_routes import VIEW_ROUTES
from app.dashboards.queue.wanted import ASSIGNEE, Clock, Filters, HandedStatus, Handing, on
from app.database import Connection
from app.login.guards import OfficerRequest, officer
from app.login.officers.keyed import created
from app.parameters import Cursor, Limit, NeededKey
from app.problems import problems
from app.texts import Language

TAGS = ["officers"]
READS = officer("operator", "supervisor", "agency_head", "city_admin", "auditor")
ACTS = officer("operator", "supervisor", "agency_head")
BODY = (413, 415, 422)


def _one_of(kind: Any, what: str) -> Any:
    choices = list(get_args(kind))
    return QueryParameter(pattern=f"^({'|'.join(choices)})$", description=what, schema_extra={"enum": choices})


ServiceFilter = Annotated[
    str | None,
    QueryParameter(max_length=63, pattern=r"^[a-z][a-z0-9-]{1,62}$", description="Only those of this service."),
]
StatusFilter = Annotated[str | None, _one_of(HandedStatus, "Only those that stand here.")]
ClockFilter = Annotated[
    str | None, _one_of(Clock, "Only those past their working days, or with two left at most; due first, first.")
]
DeliveryFilter = Annotated[
    str | None,
    _one_of(Handing, "Only those handed over to the agency's system so far; `undelivered`: what it has not taken yet."),
]
AssigneeFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=36,
        pattern=ASSIGNEE,
        description="Given to `me`, to `nobody`, or to them. The first two leave out what has ended, unless a `status` "
        "is asked for.",
    ),
]
AgencyFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=41, pattern=r"^[a-z][a-z0-9_]{1,40}$", description="Only this agency's, for roles of the whole city."
    ),
]
Sought = Annotated[
    str,
    QueryParameter(
        min_length=3,
        max_length=100,
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        description="A case's number, or the agency's own number for it, whole.",
    ),
]


def provide_standing(
    status: StatusFilter = None, clock: ClockFilter = None, delivery: DeliveryFilter = None
) -> dict[str, str | None]:
    return {"status": status, "clock": clock, "delivery": delivery}


def provide_filters(
    standing: NamedDependency[dict[str, str | None]],
    service: ServiceFilter = None,
    assignee: AssigneeFilter = None,
    agency: AgencyFilter = None,
) -> Filters:
    return msgspec.convert({**standing, "service": service, "assignee": assignee, "agency": agency}, Filters)


FILTERS = {
    "standing": Provide(provide_standing, sync_to_thread=False),
    "filters": Provide(provide_filters, sync_to_thread=False),
}


@get(
    "/v1/officer/cases",
    opt=READS,
    operation_id="list_officer_cases",
    summary="The agency's cases",
    description="Nothing here names a citizen. Officers see their own agency's; `city_admin` and `auditor` all.",
    dependencies=FILTERS,
    tags=TAGS,
    responses=problems("cursor_invalid", "forbidden"),
)
async def list_officer_cases(
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    filters: NamedDependency[Filters],
    limit: Limit = 25,
    cursor: Cursor = None,
) -> OfficerCasePage:
    wanted = on(request.user, filters, cases.catalog.timezone, limit, cursor)
    async with cases.database.connection() as connection:
        return await listing.list_page(connection, wanted, cases, language)


@get(
    "/v1/officer/cases/counts",
    opt=READS,
    operation_id="count_officer_cases",
    summary="How many cases wait, for what",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def count_officer_cases(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> CaseCounts:
    async with cases.database.connection() as connection:
        return await listing.counts(connection, request.user, today(cases.catalog.timezone))


@get(
    "/v1/officer/cases/search",
    opt=READS,
    operation_id="search_officer_cases",
    summary="Cases by their number, or by the agency's own",
    description="The whole number; every search is audited.",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def search_officer_cases(
    request: OfficerRequest, cases: NamedDependency[CaseTools], language: NamedDependency[Language], q: Sought
) -> list[OfficerCaseItem]:
    return await listing.find(request.user, q, cases, language)


@post(
    "/v1/officer/cases/search-citizen",
    status_code=200,
    opt=ACTS,
    operation_id="search_citizens_cases",
    summary="One citizen's cases at the agency, by the whole NIK",
    description="In a body, as a NIK belongs in no address. Every search is audited, with whom it found.",
    tags=TAGS,
    responses=problems("forbidden", *BODY),
)
async def search_citizens_cases(
    data: JSONBody[CitizenSought],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> list[OfficerCaseItem]:
    return await listing.find_by_nik(request.user, data.nik, cases, language)


@get(
    "/v1/officer/cases/{case_id:uuid}",
    opt=READS,
    operation_id="read_officer_case",
    summary="One case with its form, files, timeline, deliveries and messages",
    description="Every look at a citizen's data is audited. Roles of the whole city see none of it.",
    tags=TAGS,
    responses=problems("case_not_found", "forbidden"),
)
async def read_officer_case(
    case_id: FromPath[UUID],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> OfficerCase:
    return await reading.read_case(request.user, case_id, cases, language)


@get(
    "/v1/officer/cases/{case_id:uuid}/attachments/{attachment_id:uuid}",
    opt=ACTS,
    operation_id="read_officer_attachment",
    summary="A file of a case",
    description="Audited.",
    media_type="application/octet-stream",
    operation_class=representations(*MEDIA_TYPES, form=OpenAPIFormat.BINARY, also=False),
    response_headers=[CONTENT_DISPOSITION],
    tags=TAGS,
    responses=problems("attachment_not_found", "forbidden"),
)
async def read_officer_attachment(
    case_id: FromPath[UUID],
    attachment_id: FromPath[UUID],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
) -> Response[bytes]:
    return await download(request, case_id, attachment_id, cases)


@post(
    "/v1/officer/cases/assign",
    status_code=200,
    opt=ACTS,
    operation_id="assign_cases",
    summary="Give cases to an officer of the agency, or to nobody",
    description="An operator takes what is nobody's, and gives back their own; supervisors and the head give any.",
    tags=TAGS,
    responses=problems("forbidden", "case_assigned_by_supervisor", "officer_not_here", *BODY),
)
async def assign_cases(
    data: JSONBody[Assignment], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Assigned:
    async with cases.database.begin() as connection:
        return await acting.assign(connection, request.user, data, cases)


@post(
    "/v1/officer/cases/{case_id:uuid}/notes",
    status_code=204,
    opt=ACTS,
    operation_id="note_on_case",
    summary="A note for other officers",
    description="Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems("case_not_found", "forbidden", "case_not_yours", *BODY),
)
async def note_on_case(
    case_id: FromPath[UUID],
    data: JSONBody[NewNote],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    idempotency_key: NeededKey,
) -> Response[None]:
    async def work(connection: Connection) -> None:
        await acting.add_note(connection, request.user, case_id, data.words, cases)

    return await created(request, cases, work)


@post(
    "/v1/officer/cases/{case_id:uuid}/questions",
    status_code=204,
    opt=ACTS,
    operation_id="ask_citizen",
    summary="Ask the citizen something",
    description="The case then waits for the answer, which goes on to the agency's system; where that takes none, it "
    "waits at the desk. Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems(
        "case_not_found",
        "forbidden",
        "case_not_yours",
        "case_asks_already",
        "case_takes_no_question",
        "case_past_asking",
        *BODY,
    ),
)
async def ask_citizen(
    case_id: FromPath[UUID],
    data: JSONBody[NewQuestion],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    idempotency_key: NeededKey,
) -> Response[None]:
    async def work(connection: Connection) -> None:
        await acting.ask(connection, request.user, case_id, data.question, cases)

    answer = await created(request, cases, work)
    cases.valkey.announce(CHANNEL, str(case_id).encode())
    return answer


@post(
    "/v1/officer/cases/{case_id:uuid}/refresh",
    status_code=202,
    opt=ACTS,
    operation_id="refresh_case",
    summary="Have the agency's system asked about a case before its turn",
    tags=TAGS,
    responses=problems("case_not_found", "forbidden", "case_not_asked_after"),
)
async def refresh_case(
    case_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> RefreshState:
    async with cases.database.begin() as connection:
        return await acting.ask_after(connection, request.user, case_id, cases)


async def download(request: OfficerRequest, case_id: UUID, attachment_id: UUID, cases: CaseTools) -> Response[bytes]:
    """Always saved, never rendered in our origin: what a citizen sent is not ours to show as a page. A photo comes
    without the place, time and device in it: what an officer needs of these stands in the form."""
    async with cases.database.begin() as connection:
        name, media_type = await reading.read_file(connection, request.user, case_id, attachment_id, cases)
        content = await asyncio.to_thread(without_metadata, await cases.files.get(attachment_id))
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=media_type, headers=headers)


ROUTES: list[Any] = [
    list_officer_cases,
    count_officer_cases,
    search_officer_cases,
    search_citizens_cases,
    read_officer_case,
    read_officer_attachment,
    assign_cases,
    note_on_case,
    ask_citizen,
    refresh_case,
    *VIEW_ROUTES,
]
