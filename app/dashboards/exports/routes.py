"""HTTP of exports."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, HeaderParameter, JSONBody

from app.answers import CONTENT_DISPOSITION, ETAG, REPLAYED, representations
from app.cases.tools import CaseTools
from app.dashboards.exports import actions
from app.dashboards.exports.schemas import ExportList, ExportView, ExportWanted, RecordWanted
from app.dashboards.exports.sending import fetched
from app.database import Connection
from app.login.guards import OfficerRequest, officer
from app.login.officers.keyed import created
from app.parameters import NeededKey
from app.problems import problems
from app.texts import Language

TAGS = ["officers"]
EXPORTS = officer("supervisor", "agency_head", "city_admin")
OWN = officer("supervisor", "agency_head", "city_admin", "auditor")
Range = Annotated[
    str,
    HeaderParameter(
        name="Range",
        required=False,
        description="`bytes=1048576-` goes on where a download broke off.",
        schema_extra={"examples": ["bytes=0-1023"]},
    ),
]
IfRange = Annotated[
    str, HeaderParameter(name="If-Range", required=False, description="The ETag of the file that was begun.")
]


@post(
    "/v1/officer/exports",
    status_code=202,
    opt=EXPORTS,
    operation_id="ask_for_export",
    summary="Have figures or cases written into a file",
    description="A worker makes it; nothing personal is in it. It is kept for three days, for whoever asked. Needs "
    "an Idempotency-Key.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems("agency_unknown", "exports_too_many", "forbidden", 413, 415, 422),
)
async def ask_for_export(
    data: JSONBody[ExportWanted],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    idempotency_key: NeededKey,
) -> Response[ExportView]:
    async def work(connection: Connection) -> ExportView:
        return await actions.ask_for_export(connection, request.user, data, language, cases)

    return await created(request, cases, work, 202)


@post(
    "/v1/officer/audit/exports",
    status_code=202,
    opt=officer("auditor"),
    operation_id="ask_for_audit_export",
    summary="Have what a search of the record finds written into a file, all of it, newest first",
    description="A worker makes it; how far it is, and its file, are at `/v1/officer/exports`. Asking for it, and each "
    "fetching of it, are rows of the record. Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems("exports_too_many", "forbidden", 413, 415, 422),
)
async def ask_for_record(
    data: JSONBody[RecordWanted],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    idempotency_key: NeededKey,
) -> Response[ExportView]:
    async def work(connection: Connection) -> ExportView:
        return await actions.ask_for_record(connection, request.user, data, language, cases)

    return await created(request, cases, work, 202)


@get(
    "/v1/officer/exports",
    opt=OWN,
    operation_id="list_exports",
    summary="My exports, the newest first",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def list_exports(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> ExportList:
    async with cases.database.connection() as connection:
        return ExportList(await actions.list_exports(connection, request.user))


@get(
    "/v1/officer/exports/{export_id:uuid}",
    opt=OWN,
    operation_id="read_export",
    summary="How far one is",
    tags=TAGS,
    responses=problems("export_not_found", "forbidden"),
)
async def read_export(
    export_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> ExportView:
    async with cases.database.connection() as connection:
        return await actions.read_export(connection, request.user, export_id)


@get(
    "/v1/officer/exports/{export_id:uuid}/file",
    opt=OWN,
    operation_id="fetch_export",
    summary="The file, whole or from where a download broke off",
    tags=TAGS,
    operation_class=representations(*actions.MEDIA_TYPES.values(), form=OpenAPIFormat.BINARY, also=False, partly=True),
    response_headers=[ETAG, CONTENT_DISPOSITION],
    responses={
        **problems("export_not_found", "export_not_done", "forbidden", "range_beyond_file"),
        206: ResponseSpec(None, generate_examples=False, description="The range that was asked for"),
    },
)
async def fetch_export(
    export_id: FromPath[UUID],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    asked: Range = "",
    unless_changed: IfRange = "",
) -> Response[Any]:
    return await fetched(request.user, cases, export_id, (asked, unless_changed))


@delete(
    "/v1/officer/exports/{export_id:uuid}",
    opt=OWN,
    operation_id="delete_export",
    summary="Delete one before its time, or stop it being made",
    tags=TAGS,
    responses=problems("export_not_found", "forbidden"),
)
async def delete_export(export_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]) -> None:
    async with cases.database.connection() as connection:
        await actions.delete_export(connection, request.user, export_id, cases)


ROUTES = [ask_for_export, ask_for_record, list_exports, read_export, fetch_export, delete_export]
