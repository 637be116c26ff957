"""HTTP of the pages of cases: the queue, a case, and the forms on both."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from app.cases.timeline import CHANNEL
from app.cases.tools import CaseTools
from app.dashboards.queue import acting, listing, saved
from app.dashboards.queue.pages import LIST, PageQuery, case_values, counted, found_values, list_values
from app.dashboards.queue.routes import download
from app.dashboards.queue.schemas import Assignment, CitizenSought, NewNote, NewQuestion, NewView
from app.dashboards.queue.wanted import Filters
from app.dashboards.queue.warning_pages import WARNING_PAGES, WARNINGS
from app.errors import LoketError, Unprocessable
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.pages import PAGE, form_of, is_ours, sent_to, shown
from app.pages.navigation import Entry
from app.problems import field_error

EVERYBODY = ("operator", "supervisor", "agency_head", "city_admin", "auditor")
READS = officer_page("operator", "supervisor", "agency_head", "city_admin", "auditor")
ACTS = officer_page("operator", "supervisor", "agency_head")

Back = Annotated[str, Meta(max_length=2_000)]


class AssignForm(msgspec.Struct, forbid_unknown_fields=True):
    """`officer`: an id, `me`, or "" for nobody. `back`: the list it was sent from."""

    ids: Annotated[list[str], Meta(max_length=100)]
    officer: Annotated[str, Meta(max_length=36)]
    back: Back = LIST


class ViewForm(msgspec.Struct, forbid_unknown_fields=True):
    """A name for the filters in `query`, as the list's address has them."""

    name: Annotated[str, Meta(max_length=60)]
    query: Back = ""


class NoForm(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing but its mark."""


@get(LIST, opt=READS, **PAGE)
async def cases_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    query = _asked(dict(request.query_params), PageQuery)
    if query.q:
        items = await listing.find(request.user, query.q.strip(), cases, request.user.language)
        if len(items) == 1:
            return sent_to(f"{LIST}/{items[0].id}")
        return shown(request, "queue/found", found_values(query.q, items))
    return shown(request, "queue/list", await list_values(request.user, query, cases))


@get(f"{LIST}/counts", opt=READS, **PAGE)
async def live_counts(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    told = await counted(request.user, cases)
    return Response(told, media_type="application/json", headers={"Cache-Control": "no-store"})


@post(f"{LIST}/search", opt=ACTS, status_code=200, **PAGE)
async def search_by_nik(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    """Answered at once: neither a NIK nor what it found may stand in an address."""
    try:
        form = await form_of(request, CitizenSought)
    except LoketError as refusal:
        return shown(request, "queue/found", found_values("", []), refusal)
    items = await listing.find_by_nik(request.user, form.nik, cases, request.user.language)
    return shown(request, "queue/found", found_values("", items))


@post(f"{LIST}/assign", opt=ACTS, status_code=303, **PAGE)
async def assign_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    form = await form_of(request, AssignForm, lists=("ids",))
    receiver = request.user.id if form.officer == "me" else acting.one_of(form.officer)
    chosen = acting.all_of(form.ids)
    back = form.back if is_ours(form.back) else LIST
    if not chosen:
        return sent_to(back)
    async with cases.database.begin() as connection:
        done = await acting.assign(connection, request.user, Assignment(chosen, receiver), cases)
    return sent_to(_with(back, "some" if done.refused else "assigned"))


@get(f"{LIST}/{{case_id:uuid}}", opt=READS, **PAGE)
async def case_page(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    return shown(request, "queue/case", await case_values(request.user, case_id, cases))


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
    form = await form_of(request, NewNote)
    async with cases.database.begin() as connection:
        await acting.add_note(connection, request.user, case_id, form.words, cases)
    return sent_to(f"{LIST}/{case_id}?done=noted")


@post(f"{LIST}/{{case_id:uuid}}/questions", opt=ACTS, status_code=303, **PAGE)
async def ask_by_page(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    form = await form_of(request, NewQuestion)
    async with cases.database.begin() as connection:
        await acting.ask(connection, request.user, case_id, form.question, cases)
    cases.valkey.announce(CHANNEL, str(case_id).encode())
    return sent_to(f"{LIST}/{case_id}?done=asked")


@post(f"{LIST}/{{case_id:uuid}}/refresh", opt=ACTS, status_code=303, **PAGE)
async def refresh_by_page(
    request: OfficerRequest, case_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    await form_of(request, NoForm)
    async with cases.database.begin() as connection:
        await acting.ask_after(connection, request.user, case_id, cases)
    return sent_to(f"{LIST}/{case_id}?done=refreshed")


@post("/dashboard/views", opt=READS, status_code=303, **PAGE)
async def keep_view_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    form = await form_of(request, ViewForm)
    filters = _asked(dict(msgspec.json.decode(form.query or "{}", type=dict[str, str])), Filters)
    new = _asked({"name": form.name, "filters": msgspec.to_builtins(filters)}, NewView)
    async with cases.database.begin() as connection:
        await saved.keep_view(connection, request.user, new)
    return sent_to(f"{LIST}?{urlencode({**msgspec.to_builtins(filters), 'done': 'kept'})}")


@post("/dashboard/views/{view_id:uuid}/remove", opt=READS, status_code=303, **PAGE)
async def drop_view_by_page(
    request: OfficerRequest, view_id: FromPath[UUID], cases: NamedDependency[CaseTools]
) -> Response[Any]:
    await form_of(request, NoForm)
    async with cases.database.begin() as connection:
        await saved.drop_view(connection, request.user, view_id)
    return sent_to(f"{LIST}?done=dropped")


def _asked(values: dict[str, Any], kind: type[Any]) -> Any:
    """Raises Unprocessable for what no page of ours asks."""
    try:
        return msgspec.convert({name: value for name, value in values.items() if value != ""}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Unprocessable(errors=[field_error(str(error))]) from None


def _with(path: str, done: str) -> str:
    """The same list, which says what was done."""
    own, _, query = path.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("done="))
    return f"{own}?{kept}&done={done}" if kept else f"{own}?done={done}"


PAGE_ROUTES: list[Any] = [
    cases_page,
    live_counts,
    search_by_nik,
    assign_by_page,
    case_page,
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
