"""HTTP of a citizen's cases."""

from functools import partial
from typing import Annotated, get_args
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from app.answers import ETAG, LOCATION, REPLAYED
from app.cases import actions, reads, streams
from app.cases.attachment_routes import ATTACHMENT_ROUTES
from app.cases.handover import enqueue_delivery
from app.cases.immediate import answer_now, ends_at_agency, is_immediate, own_is_immediate
from app.cases.once import language_asked, once
from app.cases.opening import hand_in
from app.cases.port import Status
from app.cases.schemas import Answer, CaseDetail, CasePage, CaseView, DraftChange, NewCase, Rating, Withdrawal
from app.cases.tools import CaseTools
from app.cases.views import etag
from app.cursor import decode_cursor
from app.database import Connection
from app.idempotency import FirstAnswer, answered, read_key
from app.login.gate import Gate
from app.login.guards import CITIZEN, Caller, CitizenRequest, citizen
from app.parameters import Cursor, Key, Limit, NeededKey
from app.problems import problems
from app.texts import Language

TAGS = ["cases"]
EVENTS = "text/event-stream"
# Also for who acts for the citizen: on a case that the delegation covers, or on what its services are of.
A_CASE, SERVICES = citizen(acting="case"), citizen(acting="services")
IfMatch = Annotated[
    str,
    HeaderParameter(name="If-Match", description="The ETag last read.", schema_extra={"examples": ['"1"']}),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        required=False,
        description="The `id` of the last event received; the stream goes on after it.",
        schema_extra={"pattern": "^[0-9]{0,9}$"},
    ),
]
# A text held to the statuses: a choice that may be left out would take `status=null` for none.
StatusFilter = Annotated[
    str | None,
    QueryParameter(
        pattern=f"^({'|'.join(get_args(Status))})$",
        description="Only cases in this status.",
        schema_extra={"enum": list(get_args(Status))},
    ),
]
ServiceFilter = Annotated[
    str | None,
    QueryParameter(max_length=63, pattern=r"^[a-z][a-z0-9-]*$", description="Only cases of this service, by its slug."),
]
WITHOUT_REASON = Withdrawal()
TOLD = [ETAG, LOCATION, REPLAYED]
AS_IT_IS = "The case as it is now"
ALL_SEEN = {204: ResponseSpec(None, generate_examples=False, description="The case has ended, and all of it was seen")}
HANDED_IN = {202: ResponseSpec(CaseView, generate_examples=False, description="Handed in; delivery is under way")}
GIVEN_AT_ONCE = {201: ResponseSpec(CaseView, generate_examples=False, description="The agency gave it at once")}
NOT_KNOWN_YET = {
    202: ResponseSpec(
        CaseView, generate_examples=False, description="Asked for; whether the agency did it is found out"
    )
}
AT_ONCE = (
    "agency_refused",
    "case_exists",
    "case_exists_elsewhere",
    "processing_restricted",
    "case_in_progress",
    "agency_unavailable",
    "service_in_maintenance",
)
CANCELS = ("agency_refused", "case_in_progress", "agency_unavailable", "service_in_maintenance")


@post(
    "/v1/cases",
    opt=SERVICES,
    operation_id="open_case",
    summary="Ask for a service",
    description="Needs an Idempotency-Key. 201 for a draft, and for what the agency gave at once, such as a queue "
    "ticket; 202 for a case that is now on its way to the agency. An agency that gives at once may also refuse (409) "
    "or be out of reach (503): then nothing was asked for, and nothing is kept waiting.",
    tags=TAGS,
    response_headers=TOLD,
    response_description="A draft, stored and not handed in; or a case whose agency gave at once what was asked for",
    responses={
        **problems(
            "assurance_level_too_low",
            "delegation_not_for_service",
            *AT_ONCE,
            409,
            413,
            415,
            422,
            "service_elsewhere",
            "attachment_not_usable",
        ),
        **HANDED_IN,
    },
)
async def open_case(
    data: JSONBody[NewCase],
    request: CitizenRequest,
    idempotency_key: NeededKey,
) -> Response[CaseView]:
    key = read_key(idempotency_key, required=True)
    write = once(request)
    if not data.draft and is_immediate(data.service, write.tools):
        begin = partial(actions.open_case, caller=write.caller, new=data, tools=write.tools)
        return await answer_now(write, begin, 201)
    if not data.draft and write.caller.acting is None:
        return await hand_in(write, data, key or "")

    async def work(connection: Connection) -> FirstAnswer:
        if data.draft:
            return write.told(await actions.store_draft(connection, write.caller, data, write.tools), 201)
        row, delivery = await actions.open_case(connection, write.caller, data, write.tools)
        await enqueue_delivery(connection, delivery)
        return write.told(row, 202)

    return await write.answer(work)


@get(
    "/v1/cases",
    opt=SERVICES,
    operation_id="list_cases",
    summary="My cases, newest first",
    tags=TAGS,
    responses=problems(),
)
async def list_cases(
    request: CitizenRequest,
    status: StatusFilter = None,
    service: ServiceFilter = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response[CasePage]:
    after = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    page = reads.PageOf(limit, status, service, after)
    shown = await reads.list_cases(request.user, page, request.app.state["cases"], language_asked(request))
    return answered(FirstAnswer(200, msgspec.json.encode(shown)))


@get(
    "/v1/cases/{case_id:uuid}",
    opt=A_CASE,
    operation_id="read_case",
    summary="One case with its whole timeline",
    tags=TAGS,
    response_headers=[ETAG],
    responses=problems("case_not_found"),
)
async def read_case(case_id: FromPath[UUID], request: CitizenRequest) -> Response[CaseDetail]:
    tools, language = request.app.state["cases"], language_asked(request)
    detail, revision = await reads.read_case(case_id, request.user, tools, language)
    return answered(FirstAnswer(200, msgspec.json.encode(detail), {"ETag": etag(revision)}))


@patch(
    "/v1/cases/{case_id:uuid}",
    opt=A_CASE,
    operation_id="change_draft",
    summary="Change a draft",
    description="Needs If-Match with the ETag last read, so that two devices never overwrite each other unseen.",
    tags=TAGS,
    response_headers=[ETAG, LOCATION],
    response_description=AS_IT_IS,
    responses=problems("assurance_level_too_low", "case_not_found", "case_not_a_draft", 412, 413, 415, 422, 428),
)
async def change_draft(
    case_id: FromPath[UUID],
    data: JSONBody[DraftChange],
    request: CitizenRequest,
    if_match: IfMatch,
) -> Response[CaseView]:
    write = once(request)

    async def work(connection: Connection) -> FirstAnswer:
        held = await actions.held_draft(connection, write.caller, case_id, if_match)
        return write.told(await actions.change_draft(connection, write.caller, held, data.form, write.tools), 200)

    return await write.answer(work)


@post(
    "/v1/cases/{case_id:uuid}/submit",
    status_code=202,
    opt=A_CASE,
    operation_id="submit_case",
    summary="Hand in a draft",
    tags=TAGS,
    response_headers=TOLD,
    response_description="Handed in; delivery is under way",
    responses={
        **problems(
            "assurance_level_too_low",
            "case_not_found",
            "case_not_a_draft",
            *AT_ONCE,
            "validation_failed",
            "attachment_not_usable",
        ),
        **GIVEN_AT_ONCE,
    },
)
async def submit_case(
    case_id: FromPath[UUID],
    request: CitizenRequest,
    idempotency_key: Key = None,
) -> Response[CaseView]:
    write = once(request)
    if await own_is_immediate(case_id, request.user.id, write.tools):
        begin = partial(actions.submit_draft, caller=write.caller, case_id=case_id, tools=write.tools)
        return await answer_now(write, begin, 201)

    async def work(connection: Connection) -> FirstAnswer:
        row, delivery = await actions.submit_draft(connection, write.caller, case_id, write.tools)
        await enqueue_delivery(connection, delivery)
        return write.told(row, 202)

    return write.waking(await write.answer(work), case_id)


@post(
    "/v1/cases/{case_id:uuid}/withdraw",
    status_code=200,
    opt=A_CASE,
    operation_id="withdraw_case",
    summary="Withdraw a case that is not decided yet",
    tags=TAGS,
    response_headers=TOLD,
    response_description=AS_IT_IS,
    responses={
        **problems("case_not_found", "case_already_decided", "processing_restricted", *CANCELS, 413, 415, 422),
        **NOT_KNOWN_YET,
    },
)
async def withdraw_case(
    case_id: FromPath[UUID],
    request: CitizenRequest,
    data: JSONBody[Withdrawal] = WITHOUT_REASON,
    idempotency_key: Key = None,
) -> Response[CaseView]:
    write = once(request)
    if await ends_at_agency(case_id, request.user.id, write.tools):
        asked = partial(actions.ask_to_withdraw, caller=write.caller, case_id=case_id, reason=data.reason)
        return await answer_now(write, partial(asked, tools=write.tools), 200)

    async def work(connection: Connection) -> FirstAnswer:
        return write.told(await actions.withdraw(connection, write.caller, case_id, data.reason, write.tools), 200)

    return write.waking(await write.answer(work), case_id)


@post(
    "/v1/cases/{case_id:uuid}/answers",
    status_code=202,
    opt=A_CASE,
    operation_id="answer_case",
    summary="Answer the agency's question",
    tags=TAGS,
    response_headers=TOLD,
    response_description="Taken; it is on its way to the agency",
    responses=problems("case_not_found", "case_asks_nothing", "processing_restricted", 413, 415, 422),
)
async def answer_case(
    case_id: FromPath[UUID],
    data: JSONBody[Answer],
    request: CitizenRequest,
    idempotency_key: Key = None,
) -> Response[CaseView]:
    write = once(request)

    async def work(connection: Connection) -> FirstAnswer:
        row = await actions.answer_question(connection, write.caller, case_id, data.answer, write.tools)
        return write.told(row, 202)

    return write.waking(await write.answer(work), case_id)


@post(
    "/v1/cases/{case_id:uuid}/rating",
    status_code=200,
    opt=A_CASE,
    operation_id="rate_case",
    summary="Rate a case that has ended, once",
    tags=TAGS,
    response_headers=TOLD,
    response_description=AS_IT_IS,
    responses=problems("case_not_found", "case_not_ended", "case_already_rated", 413, 415, 422),
)
async def rate_case(
    case_id: FromPath[UUID],
    data: JSONBody[Rating],
    request: CitizenRequest,
    idempotency_key: Key = None,
) -> Response[CaseView]:
    write = once(request)

    async def work(connection: Connection) -> FirstAnswer:
        return write.told(await actions.rate(connection, write.caller, case_id, data, write.tools), 200)

    return write.waking(await write.answer(work), case_id)


@get(
    "/v1/cases/{case_id:uuid}/events",
    opt={**CITIZEN, "examples": {EVENTS: streams.EXAMPLE}},
    operation_id="watch_case",
    summary="The timeline as it grows, as server-sent events",
    description="The `data` of an event `timeline` is a TimelineEvent, as a case's `timeline` lists them, its `id` "
    "that one's `seq`. Resumes after Last-Event-ID. Ends when the case has ended; 204, where all of it was seen "
    "before, tells a browser's EventSource not to come again.",
    media_type=EVENTS,
    tags=TAGS,
    responses={**problems("case_not_found", "last_event_id_invalid", "too_many_streams"), **ALL_SEEN},
)
async def watch_case(
    case_id: FromPath[UUID],
    caller: NamedDependency[Caller],
    gate: NamedDependency[Gate],
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    last_event_id: LastEventId = None,
) -> Stream | Response[None]:
    seen = streams.last_seen(last_event_id)
    if await reads.is_over(case_id, caller.id, seen, cases):
        return Response(None, status_code=204)
    streams.reserve(caller.id)
    viewer = streams.Viewer(case_id, caller, seen, language)
    return Stream(partial(streams.stream, viewer, gate, cases), media_type=EVENTS)


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
