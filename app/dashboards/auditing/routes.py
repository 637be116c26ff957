"""HTTP of the auditor's view: the record searched, read by whom, verified. app.dashboards.exports hands it out."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from app.answers import REPLAYED
from app.cases.tools import CaseTools
from app.dashboards.auditing import checks
from app.dashboards.auditing.schemas import CheckList, CheckView, Readings, RowPage, SubjectAsked, SubjectFound
from app.dashboards.auditing.search import Page, Wanted, find_subject, note_search, readings, search
from app.database import Connection
from app.errors import BadRequest, FieldError
from app.login.guards import OfficerRequest, officer
from app.login.officers.keyed import created
from app.parameters import Cursor, Limit, NeededKey
from app.problems import problems
from app.texts import Language

TAGS = ["officers"]
AUDITS = officer("auditor")
BODY = (413, 415, 422)

# Texts held to what they are: a date or an id that may be left out would take `null` for none.
_DAY: dict[str, Any] = {
    "max_length": 10,
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "schema_extra": {"type": "string", "format": "date"},
}
Since = Annotated[str | None, QueryParameter(description="First day, on the city's own calendar.", **_DAY)]
Until = Annotated[str | None, QueryParameter(description="Last day, which is included.", **_DAY)]
Actor = Annotated[
    str | None,
    QueryParameter(
        max_length=100, pattern=r"^[!-~]+$", description="Who: an id as the record has it, or an officer's name."
    ),
]
Subject = Annotated[
    str | None,
    QueryParameter(
        max_length=36,
        pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="Whose data: a citizen's id, see `find_audit_subject`.",
        schema_extra={"type": "string", "format": "uuid"},
    ),
]
CaseNumber = Annotated[
    str | None,
    QueryParameter(max_length=24, pattern=r"^[0-9A-Z-]+$", description="A case by its number, and its deliveries."),
]
Action = Annotated[
    str | None,
    QueryParameter(
        max_length=60, pattern=r"^[a-z_]+(\.[a-z_]+)*$", description="What was done, as the record names it."
    ),
]
ObjectId = Annotated[
    str | None,
    QueryParameter(name="object", max_length=100, pattern=r"^[!-~]+$", description="What it was done to, by its id."),
]


def provide_when(since: Since = None, until: Until = None) -> Wanted:
    return Wanted(since=_day("since", since), until=_day("until", until))


def provide_what(case: CaseNumber = None, action: Action = None, about: ObjectId = None) -> Wanted:
    return Wanted(case=case, action=action, object=about)


def provide_wanted(
    when: NamedDependency[Wanted],
    what: NamedDependency[Wanted],
    actor: Actor = None,
    subject: Subject = None,
) -> Wanted:
    return Wanted(
        since=when.since,
        until=when.until,
        actor=actor,
        subject=UUID(subject) if subject else None,
        case=what.case,
        action=what.action,
        object=what.object,
    )


WANTED = {
    name: Provide(provide, sync_to_thread=False)
    for name, provide in (("when", provide_when), ("what", provide_what), ("wanted", provide_wanted))
}


@get(
    "/v1/officer/audit/rows",
    opt=AUDITS,
    operation_id="search_audit",
    summary="Search the record of who did what with whose data, newest first",
    description="Every page that is read this way is itself a row of the record, with what was searched.",
    dependencies=WANTED,
    tags=TAGS,
    responses=problems("cursor_invalid", "forbidden"),
)
async def search_audit(
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    wanted: NamedDependency[Wanted],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> RowPage:
    async with cases.database.begin() as connection:
        found = await search(connection, wanted, Page(limit, cursor), cases.catalog.timezone)
        await note_search(connection, request.user, "audit.searched", wanted)
    return found


@post(
    "/v1/officer/audit/subjects",
    status_code=200,
    opt=AUDITS,
    operation_id="find_audit_subject",
    summary="A citizen's id by their NIK, to search the record for",
    tags=TAGS,
    responses=problems("subject_unknown", "forbidden", *BODY),
)
async def find_audit_subject(
    data: JSONBody[SubjectAsked], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> SubjectFound:
    return SubjectFound(await find_subject(cases.database, cases.vault, request.user, data.nik))


@get(
    "/v1/officer/audit/readings",
    opt=AUDITS,
    operation_id="list_audit_readings",
    summary="Who did what with a citizen's data; or with whose data somebody did what",
    description="By `subject` or by `actor`; within `since` and `until`, else within 90 days.",
    dependencies=WANTED,
    tags=TAGS,
    responses=problems("readings_of_nobody", "forbidden"),
)
async def list_audit_readings(
    request: OfficerRequest, cases: NamedDependency[CaseTools], wanted: NamedDependency[Wanted]
) -> Readings:
    if wanted.subject is None and wanted.actor is None:
        raise BadRequest("readings_of_nobody")
    async with cases.database.begin() as connection:
        found = await readings(connection, wanted, cases.catalog.timezone)
        await note_search(connection, request.user, "audit.searched", wanted)
    return found


@post(
    "/v1/officer/audit/checks",
    status_code=202,
    opt=AUDITS,
    operation_id="start_audit_check",
    summary="Have the whole record verified: every row, every link, every anchor",
    description="A worker does it beside its other work; `read_audit_check` tells how far it is and what was found. "
    "Needs an Idempotency-Key.",
    tags=TAGS,
    response_headers=[REPLAYED],
    responses=problems("check_under_way", "forbidden"),
)
async def start_audit_check(
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    language: NamedDependency[Language],
    idempotency_key: NeededKey,
) -> Response[CheckView]:
    async def work(connection: Connection) -> CheckView:
        check_id = await checks.ask_check(connection, request.user.id)
        await note_search(connection, request.user, "audit.verified", Wanted())
        return await checks.read_check(connection, check_id, language)

    return await created(request, cases, work, 202)


@get(
    "/v1/officer/audit/checks",
    opt=AUDITS,
    operation_id="list_audit_checks",
    summary="Verifications that were asked for, and what they found",
    tags=TAGS,
    responses=problems("forbidden"),
)
async def list_audit_checks(cases: NamedDependency[CaseTools], language: NamedDependency[Language]) -> CheckList:
    async with cases.database.connection() as connection:
        return await checks.list_checks(connection, language)


@get(
    "/v1/officer/audit/checks/{check_id:uuid}",
    opt=AUDITS,
    operation_id="read_audit_check",
    summary="One verification: how far it is, and what was found",
    tags=TAGS,
    responses=problems("check_unknown", "forbidden"),
)
async def read_audit_check(
    check_id: FromPath[UUID], cases: NamedDependency[CaseTools], language: NamedDependency[Language]
) -> CheckView:
    async with cases.database.connection() as connection:
        return await checks.read_check(connection, check_id, language)


def _day(name: str, written: str | None) -> date | None:
    """Raises BadRequest for what is no day of the calendar."""
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise BadRequest("parameter_invalid", errors=[FieldError(f"/query/{name}", "format")]) from None


ROUTES: list[Any] = [
    search_audit,
    find_audit_subject,
    list_audit_readings,
    start_audit_check,
    list_audit_checks,
    read_audit_check,
]
