"""What the pages of cases show, gathered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, get_args
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from app.cases.due import today
from app.cases.numbers import as_case_number, is_case_number
from app.cases.tools import CaseTools
from app.cursor import MAX_LENGTH
from app.dashboards.queue import listing, reading, saved
from app.dashboards.queue.powers import LEADS, handles
from app.dashboards.queue.schemas import CaseCounts, CaseDeliveryView, Colleague, OfficerCaseItem
from app.dashboards.queue.wanted import Clock, Filters, HandedStatus, Handing, on
from app.database import Connection
from app.login.guards import Officer
from app.pages.formats import moment_in, number_in
from app.texts import Language, has_text, text

PAGE_ROWS = 25
LIST = "/dashboard/cases"
Choices = Sequence[tuple[str, str]]


class PageQuery(Filters, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The list's address: filters, where the page begins, what a form before it did."""

    cursor: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)] | None = None
    done: Annotated[str, msgspec.Meta(max_length=40)] | None = None


async def list_values(officer: Officer, query: PageQuery, cases: CaseTools) -> Mapping[str, Any]:
    filters = msgspec.convert({name: getattr(query, name) for name in Filters.__struct_fields__}, Filters)
    wanted = on(officer, filters, cases.catalog.timezone, PAGE_ROWS, query.cursor)
    async with cases.database.connection() as connection:
        page = await listing.list_page(connection, wanted, cases, officer.language)
        tiles = await listing.counts(connection, officer, wanted.day)
        views = await saved.saved_views(connection, officer)
        team = await team_of(connection, officer)
    chosen = msgspec.to_builtins(filters)
    return {
        "items": page.items,
        "filters": filters,
        "is_filtered": bool(chosen),
        "query": msgspec.json.encode(chosen).decode(),
        "next": _address(chosen, cursor=page.next_cursor) if page.next_cursor else "",
        "first": _address(chosen) if query.cursor else "",
        "tiles": tiles_of(tiles, officer.language),
        "views": [(each, _address(msgspec.to_builtins(each.filters))) for each in views.items],
        "team": team,
        "receivers": receivers(team, officer.language),
        "handles": handles(officer),
        "choices": choices_for(officer, cases, team),
    }


async def case_values(officer: Officer, case_id: UUID, cases: CaseTools) -> Mapping[str, Any]:
    case = await reading.read_case(officer, case_id, cases, officer.language)
    async with cases.database.connection() as connection:
        team = await team_of(connection, officer)
    return {
        "case": case,
        "title": case.number,
        "seen": case.timeline[-1].seq if case.timeline else 0,
        "agency_name": cases.catalog.agency(case.agency).name.into(officer.language),
        "system": cases.systems[case.backend].title if case.backend in cases.systems else case.backend,
        "waits": {each.id: text(f"waits.{each.reason}", officer.language) for each in case.deliveries if _waits(each)},
        "products": products_of(case.product or {}, officer.language),
        "sections": reading.sections_of(case, cases, officer.language),
        "receivers": receivers(team, officer.language),
        "handles": handles(officer),
    }


async def news_of(officer: Officer, case_id: UUID, seen: int, cases: CaseTools) -> Mapping[str, Any]:
    """For the script of a case's page that shows its timeline up to `seen`."""
    standing, zone = await reading.read_standing(officer, case_id, cases), cases.catalog.timezone
    asked = moment_in(standing.refreshed_at, zone, officer.language) if standing.refreshed_at else ""
    return {"refreshed": asked, "is": "changed" if standing.last_event > seen else "same"}


def products_of(told: Mapping[str, str], language: Language) -> list[tuple[str, str, object]]:
    """What the agency gave, each with its words and what kind of thing it is."""
    shown: list[tuple[str, str, object]] = []
    for name, value in told.items():
        words = text(f"queue.product.{name}", language) if has_text(f"queue.product.{name}") else name.replace("_", " ")
        if name.endswith("_at") and value:
            shown.append((words, "moment", datetime.fromisoformat(value)))
        elif value:
            shown.append((words, "text", value))
    return shown


def _waits(delivery: CaseDeliveryView) -> bool:
    """Whether there are words for why it is before an officer."""
    return delivery.state == "needs_operator" and has_text(f"waits.{delivery.reason}")


def found_values(officer: Officer, sought: str, items: Sequence[OfficerCaseItem]) -> Mapping[str, Any]:
    """`is_mistyped`: it has the shape of a number of ours, and cannot be one."""
    number = as_case_number(sought)
    is_mistyped = not items and number != "" and not is_case_number(number)
    return {"items": items, "sought": sought, "is_mistyped": is_mistyped, "handles": handles(officer)}


async def counted(officer: Officer, cases: CaseTools) -> Mapping[str, str]:
    """The tiles' numbers in words, for the script that keeps them true."""
    async with cases.database.connection() as connection:
        told = await listing.counts(connection, officer, today(cases.catalog.timezone))
    return tiles_of(told, officer.language)


def tiles_of(told: CaseCounts, language: Language) -> Mapping[str, str]:
    return {name: _count(getattr(told, name), told.most, language) for name in told.__struct_fields__ if name != "most"}


async def team_of(connection: Connection, officer: Officer) -> list[Colleague]:
    return await listing.colleagues(connection, officer.agency) if officer.role in LEADS else []


def receivers(team: Sequence[Colleague], language: Language) -> Choices:
    """Whom cases can be given to."""
    people = [(str(each.id), f"{each.name} · {text(f'officers.role.{each.role}', language)}") for each in team]
    return [*people, ("", text("queue.list.nobody", language))]


def choices_for(officer: Officer, cases: CaseTools, team: Sequence[Colleague]) -> Mapping[str, Choices]:
    language = officer.language
    services = [
        (each.slug, each.title.into(language))
        for each in cases.catalog.services()
        if each.module and officer.agency in ("", each.agency_id)
    ]
    people = [("nobody", text("queue.list.nobody", language))]
    if handles(officer):
        people.insert(0, ("me", text("queue.list.me", language)))
    return {
        "service": sorted(services, key=lambda each: each[1]),
        "status": [(each, text(f"queue.status.{each}", language)) for each in get_args(HandedStatus)],
        "clock": [(each, text(f"queue.clock.{each}", language)) for each in get_args(Clock)],
        "delivery": [(each, text(f"queue.delivery.{each}", language)) for each in get_args(Handing)],
        "assignee": [*people, *((str(each.id), each.name) for each in team if each.id != officer.id)],
        "agency": [(each.id, each.name.into(language)) for each in cases.catalog.agencies()],
    }


def _count(count: int, most: int, language: Language) -> str:
    shown = number_in(min(count, most), language)
    return f"{shown}+" if count > most else shown


def _address(filters: Mapping[str, str], **more: str) -> str:
    query = urlencode({**filters, **more})
    return f"{LIST}?{query}" if query else LIST
