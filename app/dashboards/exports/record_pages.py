"""HTTP of an auditor's exports of the record: asking for one, seeing how far it is, fetching it."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.cases.tools import CaseTools
from app.dashboards.exports import actions
from app.dashboards.exports.pages import IfRange, Range, deleting, how_far, own_exports
from app.dashboards.exports.schemas import Format, RecordWanted
from app.dashboards.exports.sending import fetched
from app.database import Connection
from app.errors import LoketError
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, form_of, shown
from app.problems import converted

AUDITS = officer_page("auditor")
PATH = "/dashboard/audit/exports"
Word = Annotated[str, msgspec.Meta(max_length=100)]


class RecordForm(msgspec.Struct, forbid_unknown_fields=True):
    """The search that is on the page; what it leaves open comes as nothing."""

    format: Format
    since: Word = ""
    until: Word = ""
    actor: Word = ""
    subject: Word = ""
    case: Word = ""
    action: Word = ""
    object: Word = ""


@get(PATH, opt=AUDITS, **PAGE)
async def record_exports_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return await _shown(request, cases)


@post(PATH, opt=AUDITS, **PAGE)
async def ask_for_record_on_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        wanted = _wanted(form_of(request, RecordForm))
        await actions.ask_for_record(connection, request.user, wanted, request.user.language, cases)
        return Done(f"{PATH}?done=asked")

    return await carried_out(request, cases.database, work, partial(_shown, request, cases))


@get(f"{PATH}/{{export_id:uuid}}", opt=AUDITS, **PAGE)
async def live_record(
    export_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return await how_far(request, cases, export_id)


@get(f"{PATH}/{{export_id:uuid}}/file", opt=AUDITS, **PAGE)
async def fetch_record_on_page(
    export_id: FromPath[UUID],
    request: OfficerRequest,
    cases: NamedDependency[CaseTools],
    asked: Range = "",
    unless_changed: IfRange = "",
) -> Response[Any]:
    return await fetched(request.user, cases, export_id, (asked, unless_changed))


@post(f"{PATH}/{{export_id:uuid}}/delete", opt=AUDITS, **PAGE)
async def delete_record_on_page(
    export_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return await carried_out(
        request, cases.database, deleting(request, cases, export_id, PATH), partial(_shown, request, cases)
    )


async def _shown(request: OfficerRequest, cases: CaseTools, refusal: LoketError | None = None) -> Response[Any]:
    async with cases.database.connection() as connection:
        values = await own_exports(connection, request.user, PATH)
    return shown(request, "exports/record", values, refusal)


def _wanted(form: RecordForm) -> RecordWanted:
    """Raises Unprocessable for a day, an id or a name that is none."""
    given = {name: value for name, value in msgspec.structs.asdict(form).items() if value}
    return converted(given, RecordWanted, strict=False)


RECORD_PAGES: list[Any] = [
    record_exports_page,
    ask_for_record_on_page,
    live_record,
    fetch_record_on_page,
    delete_record_on_page,
]
