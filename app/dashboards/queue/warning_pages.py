"""HTTP of the page of time limit warnings, for supervisors."""

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Meta

from app.cases.tools import CaseTools
from app.cursor import MAX_LENGTH
from app.dashboards.queue import acting, escalation
from app.database import Connection
from app.errors import FieldError, LoketError, Unprocessable
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, form_of, query_of, shown

WARNINGS = "/dashboard/warnings"
LEADS = officer_page("supervisor", "agency_head")
PAGE_ROWS = 25


class SeenForm(msgspec.Struct, forbid_unknown_fields=True):
    ids: Annotated[list[str], Meta(max_length=100)]


@get(WARNINGS, opt=LEADS, **PAGE)
async def warnings_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return await _shown(request, cases)


@post(f"{WARNINGS}/seen", opt=LEADS, status_code=303, **PAGE)
async def see_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        chosen = acting.all_of(form_of(request, SeenForm, lists=("ids",)).ids)
        if not chosen:
            raise Unprocessable(errors=[FieldError("/ids", "min_items", {"limit": 1})])
        await escalation.mark_seen(connection, request.user, chosen)
        return Done(f"{WARNINGS}?done=seen")

    return await carried_out(request, cases.database, work, partial(_shown, request, cases))


async def _shown(request: OfficerRequest, cases: CaseTools, refusal: LoketError | None = None) -> Response[Any]:
    cursor = query_of(request).get("cursor", "")[: MAX_LENGTH + 1] or None
    async with cases.database.connection() as connection:
        given = (cases, request.user.language)
        page = await escalation.unseen(connection, request.user, cursor, PAGE_ROWS, given)
    following = f"{WARNINGS}?cursor={page.next_cursor}" if page.next_cursor else ""
    values = {"items": page.items, "next": following, "is_first": cursor is None}
    return shown(request, "queue/warnings", values, refusal)


WARNING_PAGES: list[Any] = [warnings_page, see_by_page]
