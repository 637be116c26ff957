"""HTTP of the pages of cases: the queue, a case, and the forms on both."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from msgspec import Meta

from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.dashboards.queue import acting, listing, saved
from app.dashboards.queue.pages import LIST, PageQuery, case_values, counted, found_values, list_values, news_of
from app.dashboards.queue.powers import handles
from app.dashboards.queue.routes import download
from app.dashboards.queue.schemas import Assignment, NewNote, NewQuestion, NewView
from app.dashboards.queue.wanted import Filters
from app.dashboards.queue.warning_pages import WARNING_PAGES, WARNINGS
from app.database import Connection
from app.errors import FieldError, LoketError, Unprocessable
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, START, came_from, form_of, live_answer, query_of, sent_to, shown
from app.pages.navigation import Entry
from app.problems import converted

T = TypeVar("T")

EVERYBODY = ("operator", "supervisor", "agency_head", "city_admin", "auditor")
READS = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
ACTS = officer_page("operator", "supervisor", "agency_head")

_CASE = re.compile(rf"{LIST}/([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})(?:\?.*)?")


_NIK, _BETWEEN = re.compile("[0-9]{16}"), re.compile("[ .-]")
Seen = Annotated[int, QueryParameter(ge=0, le=2**31 - 1)]


class SoughtForm(msgspec.Struct, forbid_unknown_fields=True):
    """A number of ours, an agency's, or a NIK."""

    q: Annotated[str, Meta(min_length=3, max_length=100)]


class AssignForm(msgspec.Struct, forbid_unknown_fields=True):
    """`officer`: an id, `me`, or "" for nobody."""

    ids: Annotated[list[str], Meta(max_length=100)]
    officer: Annotated[str, Meta(max_length=36)]


class ViewForm(msgspec.Struct, forbid_unknown_fields=True):
    """A name for the filters in `query`, as JSON."""

    name: Annotated[str, Meta(max_length=60)]
    query: Annotated[str, Meta(max_length=2_000)] = ""


class NoForm(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing but its mark."""


@get(LIST, opt=READS, **PAGE)
async def cases_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    query = _asked(dict(request.query_params), PageQuery)
    return shown(request, "queue/list", await list_values(request.user, query, cases))


@get(f"{LIST}/counts", opt=READS, **PAGE)
async def live_counts(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return live_answer(await counted(request.user, cases))


@post(f"{LIST}/search", opt=READS, status_code=200, **PAGE)
async def search_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    """Answered at once: whatever people type where something is searched for, a NIK or a name, stands in no address."""
    try:
        sought = form_of(request, SoughtForm).q.strip()
    except LoketError as refusal:
        return await _list(request, cases, refusal)
    items = await listing.find(request.user, sought, cases, request.user.language)
    if len(items) == 1:
        return sent_to(f"{LIST}/{items[0].id}")
    nik = _BETWEEN.sub("", sought)
    is_nik = _NIK.fullmatch(nik) is not None
    if not items and is_nik and handles(request.user):
        items = await listing.find_by_nik(request.user, nik, cases, request.user.language)
    # What may be a NIK is not shown again.
    return shown(request, "queue/found", found_values(request.user, "" if is_nik else sought, items))


@post(f"{LIST}/assign", opt=ACTS, status_code=303, **PAGE)
async def assign_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form = form_of(request, AssignForm, lists=("ids",))
        receiver = request.user.id if form.officer == "me" else acting.one_of(form.officer)
        chosen = acting.all_of(form.ids)
        if not chosen:
            raise Unprocessable(errors=[FieldError("/ids", "min_items", {"limit": 1})])
        done = await acting.assign(connection, request.user, Assignment(chosen, receiver), cases)
        return Done(_with(came_from(request), "some" if done.refused else _given(form.officer)))

    async def again(refusal: LoketError) -> Response[Any]:
        return await _list(request, cases, refusal)

    return await carried_out(request, cases.database, work, again)


@get(f"{LIST}/{{case_id:uuid}}", opt=READS, **PAGE)
async def case_page(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return shown(request, "queue/case", await case_values(request.user, case_id, cases))


@get(f"{LIST}/{{case_id:uuid}}/news", opt=READS, **PAGE)
async def live_case(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools], seen: Seen = 0
) -> Response[Any]:
    return live_answer(await news_of(request.user, case_id, seen, cases))


@get(f"{LIST}/{{case_id:uuid}}/attachments/{{attachment_id:uuid}}", opt=ACTS, **PAGE)
async def file_by_page(
    request: OfficerRequest,
    case_id: FromPath[UUID],
    attachment_id: FromPath[UUID],
    cases: NamedDependency[CaseTools],
) -> Response[bytes]:
    return await download(request, case_id, attachment_id, cases)


@post(f"{LIST}/{{case_id:uuid}}/notes", opt=ACTS, status_code=303, **PAGE)
async def note_by_page(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form = form_of(request, NewNote)
        await acting.add_note(connection, request.user, case_id, form.words, cases)
        return Done(f"{LIST}/{case_id}?done=noted")

    return await carried_out(request, cases.database, work, partial(_case, request, case_id, cases))


@post(f"{LIST}/{{case_id:uuid}}/questions", opt=ACTS, status_code=303, **PAGE)
async def ask_by_page(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def announce() -> None:
        cases.valkey.announce(CHANNEL, str(case_id).encode())

    async def work(connection: Connection) -> Done:
        form = form_of(request, NewQuestion)
        await acting.ask(connection, request.user, case_id, form.question, cases)
        return Done(f"{LIST}/{case_id}?done=asked", announce)

    return await carried_out(request, cases.database, work, partial(_case, request, case_id, cases))


@post(f"{LIST}/{{case_id:uuid}}/refresh", opt=ACTS, status_code=303, **PAGE)
async def refresh_by_page(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form_of(request, NoForm)
        await acting.ask_after(connection, request.user, case_id, cases)
        return Done(f"{LIST}/{case_id}?done=refreshed")

    return await carried_out(request, cases.database, work, partial(_case, request, case_id, cases))


@post("/dashboard/views", opt=READS, status_code=303, **PAGE)
async def keep_view_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form = form_of(request, ViewForm)
        filters = _filters(form.query)
        new = _asked({"name": form.name, "filters": msgspec.to_builtins(filters)}, NewView)
        await saved.keep_view(connection, request.user, new)
        return Done(f"{LIST}?{urlencode({**msgspec.to_builtins(filters), 'done': 'kept'})}")

    return await carried_out(request, cases.database, work, partial(_list, request, cases))


@post("/dashboard/views/{view_id:uuid}/remove", opt=READS, status_code=303, **PAGE)
async def drop_view_by_page(
    request: OfficerRequest, view_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        form_of(request, NoForm)
        await saved.drop_view(connection, request.user, view_id)
        return Done(f"{LIST}?done=dropped")

    async def again(refusal: LoketError) -> Response[Any]:
        raise refusal

    return await carried_out(request, cases.database, work, again)


async def _case(request: OfficerRequest, case_id: UUID, cases: CaseTools, refusal: LoketError) -> Response[Any]:
    return shown(request, "queue/case", await case_values(request.user, case_id, cases), refusal)


async def _list(request: OfficerRequest, cases: CaseTools, refusal: LoketError) -> Response[Any]:
    """The list that a refused form stood on, or the one case."""
    case_id = _CASE.fullmatch(came_from(request))
    if case_id:
        return await _case(request, UUID(case_id[1]), cases, refusal)
    query = _asked(query_of(request), PageQuery)
    return shown(request, "queue/list", await list_values(request.user, query, cases), refusal)


def _filters(query: str) -> Filters:
    """As the form that keeps them has them. Raises Unprocessable."""
    try:
        given = msgspec.json.decode(query or "{}", type=dict[str, str])
    except msgspec.DecodeError:
        raise Unprocessable from None
    return _asked(given, Filters)


def _asked(values: Mapping[str, object], kind: type[T]) -> T:
    """Raises Unprocessable for what no page of ours asks."""
    return converted({name: value for name, value in values.items() if value != ""}, kind, strict=False)


def _given(officer: str) -> str:
    return {"me": "taken", "": "released"}.get(officer, "assigned")


def _with(path: str, done: str) -> str:
    """The same list, which says what was done."""
    own, _, query = (path if path != START else LIST).partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("done="))
    return f"{own}?{kept}&done={done}" if kept else f"{own}?done={done}"


PAGE_ROUTES: list[Any] = [
    cases_page,
    live_counts,
    search_by_page,
    assign_by_page,
    case_page,
    live_case,
    file_by_page,
    note_by_page,
    ask_by_page,
    refresh_by_page,
    keep_view_by_page,
    drop_view_by_page,
    *WARNING_PAGES,
]
NAVIGATION = [
    Entry(LIST, "queue.list.title", EVERYBODY, 10, "cases"),
    Entry(WARNINGS, "queue.warnings.title", ("supervisor", "agency_head"), 11, "clock"),
]
