"""HTTP of citizens' rights over their data (law 27/2022)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, JSONBody, PathParameter

from app.answers import CONTENT_DISPOSITION, LOCATION, REPLAYED, representations
from app.cases.once import language_asked, once
from app.cases.tools import CaseTools
from app.cursor import decode_cursor, encode_cursor
from app.database import Connection
from app.errors import Conflict
from app.idempotency import FirstAnswer, read_key
from app.login.gate import Gate
from app.login.guards import CITIZEN, Caller, CitizenRequest
from app.login.phone_changes import ask_phone_change
from app.parameters import Cursor, Limit, NeededKey
from app.problems import problems
from app.rights.consent_routes import CONSENT_ROUTES
from app.rights.copying import read_part
from app.rights.correcting import checked, known_person
from app.rights.officer_routes import OFFICER_ROUTES
from app.rights.requests import (
    Wish,
    ask,
    end,
    held_request,
    keep,
    own_request,
    own_requests,
    require_proof,
    tell,
)
from app.rights.restricting import lift, release, restrict, stands
from app.rights.schemas import Correction, DataRequestPage, DataRequestView
from app.rights.views import view, with_parts
from app.settings import Settings
from app.texts import Language

TAGS = ["me"]
ZIP = "application/zip"
_RESTRICTED = "SELECT restricted_at IS NOT NULL FROM citizens WHERE id = $1"
_ASKING = problems("data_request_open", "step_up_needed", 422)
Part = Annotated[int, PathParameter(ge=1, le=1000)]
Prepare = Callable[[Connection, Caller], Awaitable[None]]


@post(
    "/v1/me/data/copy",
    status_code=202,
    opt=CITIZEN,
    operation_id="ask_data_copy",
    summary="A complete copy of my data",
    description="JSON and my files in ZIPs, named by the request once they are made; kept for seven days. Within ten "
    "minutes of logging in or stepping up. Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[LOCATION, REPLAYED],
    responses=_ASKING,
)
async def ask_copy(request: CitizenRequest, idempotency_key: NeededKey) -> Response[DataRequestView]:
    return await _asked(request, idempotency_key, Wish("copy"), require_proof)


@post(
    "/v1/me/data/deletion",
    status_code=202,
    opt=CITIZEN,
    operation_id="ask_data_deletion",
    summary="Delete my account and my data",
    description="From now on nothing is handed to agencies. At `run_at` everything goes but for what a law holds; "
    "until then the request can be taken back. Within ten minutes of logging in or stepping up. Needs an "
    "Idempotency-Key.",
    tags=TAGS,
    response_headers=[LOCATION, REPLAYED],
    responses=_ASKING,
)
async def ask_deletion(
    request: CitizenRequest, config: NamedDependency[Settings], idempotency_key: NeededKey
) -> Response[DataRequestView]:
    async def prepare(connection: Connection, caller: Caller) -> None:
        await require_proof(connection, caller)
        await restrict(connection, caller.id)

    wish = Wish("deletion", wait=timedelta(hours=config.deletion_wait_h))
    return await _asked(request, idempotency_key, wish, prepare)


@post(
    "/v1/me/data/correction",
    status_code=202,
    opt=CITIZEN,
    operation_id="ask_data_correction",
    summary="Correct my name, birth date or phone",
    description="Name and birth date are asked of the population register, whose word counts. A new phone is confirmed "
    "by `POST /v1/me/phone-change/confirm`. Agencies that have the old data are shown in `places`. Within ten minutes "
    "of logging in or stepping up. Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[LOCATION, REPLAYED],
    responses=problems("step_up_needed", 409, 413, 415, 422),
)
async def ask_correction(
    data: JSONBody[Correction],
    request: CitizenRequest,
    gate: NamedDependency[Gate],
    idempotency_key: NeededKey,
) -> Response[DataRequestView]:
    caller = request.user
    async with gate.database.begin() as connection:
        await require_proof(connection, caller)
        wanted = checked(data.field, data.value, await known_person(connection, gate.vault, caller.id))

    async def prepare(_: Connection, caller: Caller) -> None:
        if data.field == "phone":
            await ask_phone_change(gate, caller.id, wanted)

    return await _asked(request, idempotency_key, Wish("correction", data.field, wanted), prepare)


@post(
    "/v1/me/data/restriction",
    status_code=202,
    opt=CITIZEN,
    operation_id="ask_data_restriction",
    summary="Stop dealing with my data",
    description="From now on nothing is handed to agencies and nothing asked of them, until it is lifted. Needs an "
    "Idempotency-Key.",
    tags=TAGS,
    response_headers=[LOCATION, REPLAYED],
    responses=problems("data_request_open", 422),
)
async def ask_restriction(request: CitizenRequest, idempotency_key: NeededKey) -> Response[DataRequestView]:
    async def prepare(connection: Connection, caller: Caller) -> None:
        if await stands(connection, caller.id):
            raise Conflict("data_request_open")
        await restrict(connection, caller.id)

    return await _asked(request, idempotency_key, Wish("restriction"), prepare)


@delete(
    "/v1/me/data/restriction",
    opt=CITIZEN,
    operation_id="lift_data_restriction",
    summary="Deal with my data again",
    description="What was held back goes its way.",
    tags=TAGS,
    responses=problems("restriction_missing"),
)
async def lift_restriction(request: CitizenRequest, cases: NamedDependency[CaseTools]) -> None:
    async with cases.database.begin() as connection:
        await lift(connection, request.user.id)


@get(
    "/v1/me/data/requests",
    opt=CITIZEN,
    operation_id="list_data_requests",
    summary="What I asked for about my data, newest first",
    tags=TAGS,
    responses=problems("cursor_invalid"),
)
async def list_requests(
    request: CitizenRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    limit: Limit = 20,
    cursor: Cursor = None,
) -> DataRequestPage:
    before = decode_cursor(cursor, tuple[UUID])[0] if cursor is not None else None
    async with cases.database.connection() as connection:
        rows = await own_requests(connection, request.user.id, before, limit + 1)
        shown = await with_parts(connection, rows[:limit], cases.vault, language)
        restricted = bool(await connection.fetchval(_RESTRICTED, request.user.id))
    return DataRequestPage(shown, encode_cursor((shown[-1].id,)) if len(rows) > limit else None, restricted)


@get(
    "/v1/me/data/requests/{request_id:uuid}",
    opt=CITIZEN,
    operation_id="read_data_request",
    summary="One of them, as it stands",
    tags=TAGS,
    responses=problems("data_request_not_found"),
)
async def read_request(
    request_id: FromPath[UUID],
    request: CitizenRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
) -> DataRequestView:
    async with cases.database.connection() as connection:
        row = await own_request(connection, request_id, request.user.id)
        [shown] = await with_parts(connection, [row], cases.vault, language)
    return shown


@delete(
    "/v1/me/data/requests/{request_id:uuid}",
    opt=CITIZEN,
    operation_id="cancel_data_request",
    summary="Take a request back that is not carried out yet",
    tags=TAGS,
    responses=problems("data_request_not_found", "data_request_ended"),
)
async def cancel_request(
    request_id: FromPath[UUID], request: CitizenRequest, cases: NamedDependency[CaseTools]
) -> None:
    caller = request.user
    async with cases.database.begin() as connection:
        await own_request(connection, request_id, caller.id)
        row = await held_request(connection, request_id)
        if row["ended_at"] is not None or row["code"] == "scrubbing":
            raise Conflict("data_request_ended", params={"state": row["state"]})
        await end(connection, row, "cancelled")
        await keep(connection, row, f"data.{row['kind']}_cancelled", by=str(caller.id))
        await tell(connection, row, "cancelled")
        if row["kind"] == "deletion" and not await stands(connection, caller.id):
            await release(connection, caller.id)


@get(
    "/v1/me/data/requests/{request_id:uuid}/copy/{part:int}",
    opt=CITIZEN,
    operation_id="read_data_copy",
    summary="One part of a copy of my data",
    description="Within ten minutes of logging in or stepping up.",
    media_type=ZIP,
    tags=TAGS,
    operation_class=representations(ZIP, form=OpenAPIFormat.BINARY, also=False),
    response_headers=[CONTENT_DISPOSITION],
    response_description="A ZIP: data.json and files",
    responses=problems("data_copy_gone", "step_up_needed"),
)
async def read_copy(
    request_id: FromPath[UUID], part: Part, request: CitizenRequest, cases: NamedDependency[CaseTools]
) -> Response[bytes]:
    caller = request.user
    content = await read_part(cases, request_id, part, caller)
    headers = {"Content-Disposition": f'attachment; filename="satu-loket-data-{part}.zip"'}
    return Response(content, media_type=ZIP, headers=headers)


async def _asked(request: CitizenRequest, key: str, wish: Wish, prepare: Prepare) -> Response[Any]:
    """Take it in once, all in one transaction."""
    read_key(key, required=True)
    write = once(request)
    vault, language = write.tools.vault, language_asked(request)

    async def work(connection: Connection) -> FirstAnswer:
        await prepare(connection, write.caller)
        row = await ask(connection, write.caller, wish, vault)
        if wish.kind == "restriction":
            row = await end(connection, row, "done")
        location = f"/v1/me/data/requests/{row['id']}"
        return FirstAnswer(202, msgspec.json.encode(view(row, [], vault, language)), {"Location": location})

    return await write.answer(work)


ROUTES = [
    ask_copy,
    ask_deletion,
    ask_correction,
    ask_restriction,
    lift_restriction,
    list_requests,
    read_request,
    cancel_request,
    read_copy,
    *CONSENT_ROUTES,
    *OFFICER_ROUTES,
]
