"""HTTP of the page of what agencies' systems told about nothing of ours."""

from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from msgspec import Meta

from app.callbacks import desk
from app.callbacks.desk import Dismissal, Wanted
from app.cases.tools import CaseTools
from app.cursor import MAX_LENGTH, decode_cursor
from app.dashboards.systems.pages import ACTS, STRAYS
from app.database import Connection
from app.deliveries.acting import acting_of
from app.errors import LoketError
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, form_of, query_of, shown
from app.problems import converted

READS = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
MAY_ACT = officer_page("operator", "supervisor", "city_admin")
PAGE_ROWS = 25


class StrayQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The list's address."""

    backend: Annotated[str, Meta(max_length=64)] = ""
    cursor: Annotated[str, Meta(max_length=MAX_LENGTH)] = ""
    done: Annotated[str, Meta(max_length=40)] = ""


@get(STRAYS, opt=READS, **PAGE)
async def strays_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return await _list(request, cases)


@post(f"{STRAYS}/dismiss", opt=MAY_ACT, status_code=303, **PAGE)
async def dismiss_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        asked = form_of(request, Dismissal, lists=("ids",))
        done = await desk.dismiss(connection, acting_of(request.user), asked, cases.vault)
        return Done(f"{STRAYS}?done={'dismissed' if done.dismissed else 'none_dismissed'}")

    return await carried_out(request, cases.database, work, partial(_list, request, cases))


async def _list(request: OfficerRequest, cases: CaseTools, refusal: LoketError | None = None) -> Response[Any]:
    query = converted(query_of(request), StrayQuery, strict=False)
    acting = acting_of(request.user)
    after = decode_cursor(query.cursor, tuple[UUID])[0] if query.cursor else None
    async with cases.database.connection() as connection:
        wanted = Wanted(PAGE_ROWS, "waiting", query.backend, after)
        found = await desk.list_strays(connection, acting, wanted, cases.vault)
    systems = {name: each.title for name, each in cases.systems.items() if acting.agency in ("", each.agency)}
    chosen = {"backend": query.backend} if query.backend else {}
    values = {
        "items": found.items,
        "systems": systems,
        "choices": sorted(systems.items(), key=lambda each: each[1]),
        "query": query,
        "acts": request.user.role in ACTS,
        "next": f"{STRAYS}?{urlencode({**chosen, 'cursor': found.next_cursor})}" if found.next_cursor else "",
        "first": f"{STRAYS}?{urlencode(chosen)}" if query.cursor else "",
    }
    return shown(request, "systems/strays", values, refusal)


STRAY_PAGES = [strays_page, dismiss_by_page]
