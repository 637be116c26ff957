"""HTTP of the page of time limit warnings, for supervisors."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Meta

from app.cases.tools import CaseTools
from app.cursor import MAX_LENGTH
from app.dashboards.queue import acting, escalation
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.pages import PAGE, form_of, sent_to, shown

WARNINGS = "/dashboard/warnings"
LEADS = officer_page("supervisor", "agency_head")
PAGE_ROWS = 25


class SeenForm(msgspec.Struct, forbid_unknown_fields=True):
    ids: Annotated[list[str], Meta(max_length=100)]


@get(WARNINGS, opt=LEADS, **PAGE)
async def warnings_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    cursor = request.query_params.get("cursor", "")[: MAX_LENGTH + 1] or None
    async with cases.database.connection() as connection:
        given = (cases, request.user.language)
        page = await escalation.unseen(connection, request.user, cursor, PAGE_ROWS, given)
    following = f"{WARNINGS}?cursor={page.next_cursor}" if page.next_cursor else ""
    return shown(request, "queue/warnings", {"items": page.items, "next": following, "is_first": cursor is None})


@post(f"{WARNINGS}/seen", opt=LEADS, status_code=303, **PAGE)
async def see_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    form = await form_of(request, SeenForm, lists=("ids",))
    async with cases.database.begin() as connection:
        await escalation.mark_seen(connection, request.user, acting.all_of(form.ids))
    return sent_to(f"{WARNINGS}?done=seen")


WARNING_PAGES: list[Any] = [warnings_page, see_by_page]
