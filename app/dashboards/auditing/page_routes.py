"""HTTP of the auditor's pages: the record searched, who read whom, and verifications."""

from functools import partial
from operator import itemgetter
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from app.cases.tools import CaseTools
from app.cursor import MAX_LENGTH
from app.dashboards.auditing import checks
from app.dashboards.auditing.schemas import Nik
from app.dashboards.auditing.search import (
    Page,
    Wanted,
    case_numbers,
    find_subject,
    note_search,
    readings,
    search,
)
from app.dashboards.auditing.wording import wording_in
from app.database import Connection
from app.errors import LoketError
from app.login.guards import OfficerRequest, officer_page
from app.login.officers.once import Done, carried_out
from app.login.officers.pages import PAGE, form_of, live_answer, query_of, sent_to, shown
from app.pages.formats import number_in
from app.pages.navigation import Entry
from app.problems import converted
from app.texts import Language, text_keys

AUDIT, CHECKS = "/dashboard/audit", "/dashboard/audit/checks"
AUDITS = officer_page("auditor")
PAGE_ROWS = 50
ACTIONS = "audit.action."
# What came of a verification, and the kind of its badge.
OUTCOMES = (("under_way", "info"), ("whole", "good"), ("broken", "bad"), ("failed", "warn"))
Word = Annotated[str, Meta(max_length=100, pattern=r"^[!-~]*$")]
Day = Annotated[str, Meta(max_length=10, pattern=r"^(\d{4}-\d\d-\d\d)?$")]


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The search's address; "" is not asked for. Of a person it holds the id alone."""

    since: Day = ""
    until: Day = ""
    actor: Word = ""
    subject: Word = ""
    case: Word = ""
    action: Word = ""
    object: Word = ""
    cursor: Annotated[str, Meta(max_length=MAX_LENGTH)] = ""
    done: Annotated[str, Meta(max_length=40)] = ""


class NikForm(msgspec.Struct, forbid_unknown_fields=True):
    nik: Nik


@get(AUDIT, opt=AUDITS, **PAGE)
async def audit_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return await _found(request, cases)


@post(f"{AUDIT}/subjects", opt=AUDITS, status_code=303, **PAGE)
async def find_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    """A NIK comes in a form and leaves as the citizen's id."""
    try:
        form = form_of(request, NikForm)
        subject = await find_subject(cases.database, cases.vault, request.user, form.nik)
    except LoketError as refusal:
        return await _found(request, cases, refusal)
    return sent_to(f"{AUDIT}?{urlencode({'subject': subject})}")


@get(f"{AUDIT}/readings", opt=AUDITS, **PAGE)
async def readings_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    query = converted(query_of(request), AuditQuery, strict=False)
    values: dict[str, Any] = {"query": query, "items": [], "asked": bool(query.subject or query.actor)}
    if values["asked"]:
        wanted = _wanted(query)
        async with cases.database.begin() as connection:
            values["items"] = (await readings(connection, wanted, cases.catalog.timezone)).items
            await note_search(connection, request.user, "audit.searched", wanted)
    return shown(request, "auditing/readings", {**values, "named": wording_in(request.user.language)})


@get(CHECKS, opt=AUDITS, **PAGE)
async def checks_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    return await _checks(request, cases)


@post(CHECKS, opt=AUDITS, status_code=303, **PAGE)
async def check_by_page(request: OfficerRequest, cases: NamedDependency[CaseTools]) -> Response[Any]:
    async def work(connection: Connection) -> Done:
        await checks.ask_check(connection, request.user.id)
        await note_search(connection, request.user, "audit.verified", Wanted())
        return Done(f"{CHECKS}?done=asked")

    return await carried_out(request, cases.database, work, partial(_checks, request, cases))


@get(f"{CHECKS}/{{check_id:uuid}}", opt=AUDITS, **PAGE)
async def live_check(
    check_id: FromPath[UUID], request: OfficerRequest, cases: NamedDependency[CaseTools]
) -> Response[Any]:
    """How far it is, for the page's script."""
    language = request.user.language
    async with cases.database.connection() as connection:
        found = await checks.read_check(connection, check_id, language)
    told = {
        "done": number_in(found.done, language),
        "words": found.words,
        "is": found.outcome or "under_way",
        "over": found.outcome is not None,
    }
    return live_answer(told)


async def _found(request: OfficerRequest, cases: CaseTools, refusal: LoketError | None = None) -> Response[Any]:
    query = converted(query_of(request), AuditQuery, strict=False)
    wanted = _wanted(query)
    async with cases.database.begin() as connection:
        found = await search(connection, wanted, Page(PAGE_ROWS, query.cursor or None), cases.catalog.timezone)
        numbers = await case_numbers(connection, found.items)
        if wanted.told or query.cursor:
            await note_search(connection, request.user, "audit.searched", wanted)
    chosen = {name: each for name, each in msgspec.to_builtins(query).items() if name not in ("cursor", "done")}
    values = {
        "items": found.items,
        "numbers": numbers,
        "titles": {each.slug: each.title.into(request.user.language) for each in cases.catalog.services()},
        "query": query,
        "is_filtered": bool(chosen),
        "next": f"{AUDIT}?{urlencode({**chosen, 'cursor': found.next_cursor})}" if found.next_cursor else "",
        "first": f"{AUDIT}?{urlencode(chosen)}" if query.cursor else "",
        "named": wording_in(request.user.language),
        "actions": _actions(request.user.language, query.action),
    }
    return shown(request, "auditing/list", values, refusal)


async def _checks(request: OfficerRequest, cases: CaseTools, refusal: LoketError | None = None) -> Response[Any]:
    async with cases.database.connection() as connection:
        found = await checks.list_checks(connection, request.user.language)
    return shown(request, "auditing/checks", {"items": found.items, "outcomes": OUTCOMES}, refusal)


def _wanted(query: AuditQuery) -> Wanted:
    """Raises Unprocessable for a day or an id that is none."""
    given = {name: getattr(query, name) or None for name in Wanted.__struct_fields__}
    return converted(given, Wanted, strict=False)


def _actions(language: Language, chosen: str) -> list[tuple[str, str]]:
    """What may be searched for, by its words; also what an address asks for that has none."""
    named, known = wording_in(language), {key.removeprefix(ACTIONS) for key in text_keys(ACTIONS)}
    others = [(chosen, chosen)] if chosen and chosen not in known else []
    return sorted([*((key, named("action", key)) for key in known), *others], key=itemgetter(1))


PAGE_ROUTES = [
    audit_page,
    find_by_page,
    readings_page,
    checks_page,
    check_by_page,
    live_check,
]
NAVIGATION = [
    Entry(AUDIT, "auditing.list.title", ("auditor",), 60, "audit"),
    Entry(f"{AUDIT}/readings", "auditing.readings.title", ("auditor",), 61, "eye"),
    Entry(CHECKS, "auditing.checks.title", ("auditor",), 62, "chain"),
]
