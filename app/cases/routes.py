"""HTTP of a citizen's cases."""

from functools import partial
from typing import Annotated
from uuid import UUID

from litestar import Response, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from app.cases import actions, reads, streams
from app.cases.attachment_routes import ATTACHMENT_ROUTES
from app.cases.idempotency import KEY_HEADER, FirstAnswer, read_key
from app.cases.once import ONCE, Once, answered
from app.cases.port import Status
from app.cases.schemas import Answer, CaseDetail, CasePage, CaseView, DraftChange, NewCase, Rating, Withdrawal
from app.cases.tools import CaseTools
from app.cases.views import etag
from app.cursor import decode_cursor
from app.errors import PreconditionRequired
from app.login.gate import Gate
from app.login.guards import CITIZEN, Caller
from app.problems import problems
from app.texts import Language

TAGS = ["cases"]
Key = Annotated[
    str | None,
    HeaderParameter(
        name=KEY_HEADER,
        required=False,
        description="8 to 128 characters, new for each thing asked for. Sent again, it gives the first answer again.",
    ),
]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", required=False, description="The ETag last read.")]
LastEventId = Annotated[str | None, HeaderParameter(name="Last-Event-ID", required=False)]
Limit = Annotated[int, QueryParameter(ge=1, le=100)]
Cursor = Annotated[str | None, QueryParameter(max_length=512)]
ServiceFilter = Annotated[str | None, QueryParameter(max_length=63, pattern=r"^[a-z][a-z0-9-]*$")]
HANDED_IN = {202: ResponseSpec(CaseView, generate_examples=False, description="Handed in; delivery is under way")}


def provide_page(
    status: Annotated[Status | None, QueryParameter()] = None,
    service: ServiceFilter = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> reads.PageOf:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    return reads.PageOf(limit, status, service, after)


@post(
    "/v1/cases",
    opt=CITIZEN,
    operation_id="open_case",
    dependencies=ONCE,
    summary="Ask for a service",
    description="Needs an Idempotency-Key. 201 for a draft, 202 for a case that is now on its way to the agency.",
    tags=TAGS,
    responses={**problems(403, 409, 413, 415, 422), **HANDED_IN},
)
async def open_case(
    data: JSONBody[NewCase],
    once: NamedDependency[Once],
    idempotency_key: Key = None,
) -> Response[CaseView]:
    read_key(idempotency_key, required=True)

    async def work() -> FirstAnswer:
        row = await actions.open_case(once.session, once.caller, data, once.tools)
        return once.told(row, 201 if data.draft else 202)

    return await once.answer(work)


@get(
    "/v1/cases",
    opt=CITIZEN,
    operation_id="list_cases",
    summary="My cases, newest first",
    dependencies={"page": Provide(provide_page, sync_to_thread=False)},
    tags=TAGS,
    responses=problems(),
)
async def list_cases(
    caller: NamedDependency[Caller],
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    page: NamedDependency[reads.PageOf],
) -> CasePage:
    return await reads.list_cases(caller.id, page, cases, language)


@get(
    "/v1/cases/{case_id:uuid}",
    opt=CITIZEN,
    operation_id="read_case",
    summary="One case with its whole timeline",
    tags=TAGS,
    responses=problems(404),
)
async def read_case(
    case_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> Response[CaseDetail]:
    detail, revision = await reads.read_case(case_id, caller.id, cases, language)
    return Response(detail, headers={"ETag": etag(revision)})


@patch(
    "/v1/cases/{case_id:uuid}",
    opt=CITIZEN,
    operation_id="change_draft",
    dependencies=ONCE,
    summary="Change a draft",
    description="Needs If-Match with the ETag last read, so that two devices never overwrite each other unseen.",
    tags=TAGS,
    responses=problems(403, 404, 409, 412, 413, 415, 422, 428),
)
async def change_draft(
    case_id: FromPath[UUID],
    data: JSONBody[DraftChange],
    once: NamedDependency[Once],
    if_match: IfMatch = None,
) -> Response[CaseView]:
    if not if_match:
        raise PreconditionRequired()
    held = await actions.held_draft(once.session, once.caller, case_id, if_match)
    row = await actions.change_draft(once.session, once.caller, held, data.form, once.tools)
    return answered(once.told(row, 200))


@post(
    "/v1/cases/{case_id:uuid}/submit",
    status_code=202,
    opt=CITIZEN,
    operation_id="submit_case",
    dependencies=ONCE,
    summary="Hand in a draft",
    tags=TAGS,
    responses=problems(403, 404, 409, 422),
)
async def submit_case(
    case_id: FromPath[UUID],
    once: NamedDependency[Once],
    idempotency_key: Key = None,
) -> Response[CaseView]:
    async def work() -> FirstAnswer:
        return once.told(await actions.submit_draft(once.session, once.caller, case_id, once.tools), 202)

    return once.waking(await once.answer(work), case_id)


@post(
    "/v1/cases/{case_id:uuid}/withdraw",
    status_code=200,
    opt=CITIZEN,
    operation_id="withdraw_case",
    dependencies=ONCE,
    summary="Withdraw a case that is not decided yet",
    tags=TAGS,
    responses=problems(404, 409, 413, 415, 422),
)
async def withdraw_case(
    case_id: FromPath[UUID],
    once: NamedDependency[Once],
    data: JSONBody[Withdrawal | None] = None,
    idempotency_key: Key = None,
) -> Response[CaseView]:
    reason = data.reason if data else ""

    async def work() -> FirstAnswer:
        return once.told(await actions.withdraw(once.session, once.caller, case_id, reason, once.tools), 200)

    return once.waking(await once.answer(work), case_id)


@post(
    "/v1/cases/{case_id:uuid}/answers",
    status_code=202,
    opt=CITIZEN,
    operation_id="answer_case",
    dependencies=ONCE,
    summary="Answer the agency's question",
    tags=TAGS,
    responses=problems(404, 409, 413, 415, 422),
)
async def answer_case(
    case_id: FromPath[UUID],
    data: JSONBody[Answer],
    once: NamedDependency[Once],
    idempotency_key: Key = None,
) -> Response[CaseView]:
    async def work() -> FirstAnswer:
        row = await actions.answer_question(once.session, once.caller, case_id, data.answer, once.tools)
        return once.told(row, 202)

    return once.waking(await once.answer(work), case_id)


@post(
    "/v1/cases/{case_id:uuid}/rating",
    status_code=200,
    opt=CITIZEN,
    operation_id="rate_case",
    dependencies=ONCE,
    summary="Rate a case that has ended, once",
    tags=TAGS,
    responses=problems(404, 409, 413, 415, 422),
)
async def rate_case(
    case_id: FromPath[UUID],
    data: JSONBody[Rating],
    once: NamedDependency[Once],
    idempotency_key: Key = None,
) -> Response[CaseView]:
    async def work() -> FirstAnswer:
        return once.told(await actions.rate(once.session, once.caller, case_id, data), 200)

    return once.waking(await once.answer(work), case_id)


@get(
    "/v1/cases/{case_id:uuid}/events",
    opt=CITIZEN,
    operation_id="watch_case",
    summary="The timeline as it grows, as server-sent events",
    description="Resumes after Last-Event-ID. Ends when the case has ended.",
    media_type="text/event-stream",
    tags=TAGS,
    responses=problems(404),
)
async def watch_case(
    case_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    gate: NamedDependency[Gate],
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    last_event_id: LastEventId = None,
) -> Stream:
    seen = streams.last_seen(last_event_id)
    await reads.require_own(case_id, caller.id, cases)
    streams.reserve(caller.id)
    viewer = streams.Viewer(case_id, caller, seen, language)
    return Stream(partial(streams.stream, viewer, gate, cases), media_type="text/event-stream")


ROUTES = [
    open_case,
    list_cases,
    read_case,
    change_draft,
    submit_case,
    withdraw_case,
    answer_case,
    rate_case,
    watch_case,
    *ATTACHMENT_ROUTES,
]
