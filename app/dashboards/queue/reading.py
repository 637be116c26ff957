"""One case for an officer: whole, audited, to the agency that handles it; without whose it is, to roles of the city."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from app.asking import SERVICE, asking
from app.cases import attachments
from app.cases.applicants import load_applicant
from app.cases.casedata import FORM_CONTEXT
from app.cases.due import today
from app.cases.schemas import TimelineEvent
from app.cases.timeline import event_view
from app.cases.tools import CaseTools
from app.dashboards.queue.listing import ITEM_COLUMNS, item_of
from app.dashboards.queue.models import WORDS_CONTEXT
from app.dashboards.queue.powers import handles, powers
from app.dashboards.queue.schemas import ApplicantView, CaseDeliveryView, CaseMessageView, OfficerCase, WorkView
from app.dashboards.queue.trail import Look, audit
from app.dashboards.queue.wanted import HANDED
from app.database import Connection
from app.errors import NotFound
from app.inbox.actions import rendered
from app.login.guards import Officer
from app.privacy import Vault, mask_nik
from app.texts import Language

CASE_COLUMNS = f"""
{ITEM_COLUMNS}, cases.citizen_id, cases.form_version, cases.form_enc, cases.question, cases.product, cases.last_event
"""
ONE = f"SELECT {CASE_COLUMNS} FROM cases WHERE cases.id = $1 AND ($2 = '' OR cases.agency = $2) AND {HANDED}"  # noqa: S608 - constants of ours
_STANDING = f"""
SELECT last_event, refreshed_at FROM cases WHERE cases.id = $1 AND ($2 = '' OR cases.agency = $2) AND {HANDED}
"""  # noqa: S608 - constants of ours
_HELD = f"SELECT {CASE_COLUMNS} FROM cases WHERE cases.id = $1 AND cases.agency = $2 AND {HANDED} FOR UPDATE OF cases"  # noqa: S608 - constants of ours
_EVENTS = "SELECT seq, at, kind, status, data FROM case_events WHERE case_id = $1 ORDER BY seq LIMIT 500"
_DELIVERIES = """
SELECT id, operation, state, created_at, finished_at, reference, reason FROM deliveries WHERE case_id = $1
ORDER BY id LIMIT 100
"""
_WORK = "SELECT at, kind, officer, target, words_enc FROM case_work WHERE case_id = $1 ORDER BY id DESC LIMIT 200"
_MESSAGES = """
SELECT created_at AS at, key, params, read_at FROM messages WHERE citizen_id = $1 AND case_id = $2
ORDER BY id LIMIT 100
"""
_FILE = """
SELECT attachments.*, cases.citizen_id AS applicant_id FROM attachments JOIN cases ON cases.id = attachments.case_id
WHERE attachments.id = $1 AND cases.id = $2 AND cases.agency = $3 AND cases.submitted_at IS NOT NULL
"""
SEEN = ("name", "nik", "phone", "form", "attachments", "timeline", "messages")


class File(msgspec.Struct, frozen=True):
    """An attachment as it was sent."""

    name: str
    media_type: str
    content: bytes


class Standing(msgspec.Struct, frozen=True):
    """`last_event`: the last line of its timeline."""

    last_event: int
    refreshed_at: datetime | None


async def held(connection: Connection, officer: Officer, case_id: UUID) -> Mapping[str, Any]:
    """The row of a case of this officer's own agency, locked until the transaction ends. Raises NotFound."""
    return await _one(connection, _HELD, officer, case_id)


async def read_case(officer: Officer, case_id: UUID, tools: CaseTools, language: Language) -> OfficerCase:
    """In a transaction with the record of the look. Raises NotFound, for another agency's too."""
    async with tools.database.begin() as connection:
        return await _read(connection, officer, case_id, (tools, language))


async def _read(
    connection: Connection, officer: Officer, case_id: UUID, shown: tuple[CaseTools, Language]
) -> OfficerCase:
    tools, language = shown
    row = await _one(connection, ONE, officer, case_id)
    item = item_of(row, today(tools.catalog.timezone), tools, language)
    lines = await connection.fetch(_EVENTS, case_id)
    whole: dict[str, Any] = {
        **{name: getattr(item, name) for name in item.__struct_fields__},
        "form_version": row["form_version"],
        "deliveries": [
            CaseDeliveryView(**{name: each[name] for name in CaseDeliveryView.__struct_fields__})
            for each in await connection.fetch(_DELIVERIES, case_id)
        ],
        "may": powers(officer, row, tools),
    }
    if not handles(officer):
        nameless = [TimelineEvent(each["seq"], each["at"], each["kind"], each["status"], "", {}) for each in lines]
        return OfficerCase(**whole, **_NOTHING, timeline=nameless)
    await audit(connection, officer, Look("case.read", row["citizen_id"], SEEN, object_id=str(case_id)))
    timeline = [event_view(each, tools.vault, language, "queue") for each in lines]
    return OfficerCase(**whole, **await _personal(connection, row, tools, language), timeline=timeline)


async def read_standing(officer: Officer, case_id: UUID, tools: CaseTools) -> Standing:
    """How far a case is, and nothing of whose it is: no look at anybody's data. Raises NotFound."""
    async with tools.database.connection() as connection:
        row = await _one(connection, _STANDING, officer, case_id)
    return Standing(row["last_event"], row["refreshed_at"])


async def read_file(
    connection: Connection, officer: Officer, case_id: UUID, attachment_id: UUID, tools: CaseTools
) -> tuple[str, str]:
    """Its name and type, after the record of the look. Raises NotFound, for another agency's too."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_FILE, attachment_id, case_id, officer.agency)
    if row is None:
        raise NotFound("attachment_not_found")
    look = Look("case.file_read", row["applicant_id"], ("attachments",), object_id=str(case_id))
    await audit(connection, officer, look)
    return attachments.name_of(row, tools.vault), row["media_type"]


_NOTHING: Mapping[str, Any] = {
    "applicant": None,
    "form": None,
    "question": None,
    "product": None,
    "attachments": [],
    "messages": [],
    "work": [],
}


async def _personal(
    connection: Connection, row: Mapping[str, Any], tools: CaseTools, language: Language
) -> Mapping[str, Any]:
    person = await load_applicant(connection, row["citizen_id"], tools)
    files = await attachments.of_case(connection, row["id"])
    return {
        "applicant": ApplicantView(person.name, mask_nik(person.nik), person.phone),
        "form": msgspec.json.decode(tools.vault.decrypt(row["form_enc"], FORM_CONTEXT)),
        "question": tools.vault.unseal(row["question"] or "") or None,
        "product": row["product"],
        "attachments": [attachments.view(each, tools.vault) for each in files],
        "messages": await _messages(row, tools, language),
        "work": [_work(each, tools.vault) for each in await connection.fetch(_WORK, row["id"])],
    }


async def _messages(row: Mapping[str, Any], tools: CaseTools, language: Language) -> list[CaseMessageView]:
    """An inbox is its citizen's; what stands in it about this very case was said in the agency's name."""
    with asking(SERVICE):
        rows = await tools.database.fetch(_MESSAGES, row["citizen_id"], row["id"])
    return [
        CaseMessageView(each["at"], rendered(each["key"], _params(each, tools.vault), language), each["read_at"])
        for each in rows
    ]


def _params(row: Mapping[str, Any], vault: Vault) -> Mapping[str, Any]:
    params = row["params"]
    return vault.unseal_all(json.loads(params) if isinstance(params, str) else params)


def _work(row: Mapping[str, Any], vault: Vault) -> WorkView:
    words = vault.decrypt(row["words_enc"], WORDS_CONTEXT).decode() if row["words_enc"] else ""
    at: datetime = row["at"]
    return WorkView(at, row["kind"], row["officer"], row["target"], words)


async def _one(connection: Connection, statement: str, officer: Officer, case_id: UUID) -> Mapping[str, Any]:
    row: Mapping[str, Any] | None = await connection.fetchrow(statement, case_id, officer.agency)
    if row is None:
        raise NotFound("case_not_found")
    return row


def sections_of(shown: OfficerCase, tools: CaseTools, language: Language) -> Sequence[tuple[str, Sequence[Any]]]:
    """The form as it was asked: groups in their order, each a list of what was asked and what was said."""
    form = tools.catalog.form(shown.service, shown.form_version)
    if shown.form is None or form is None:
        return []
    schema, said = form.schema_for(language), shown.form
    titles = {group["key"]: group.get("title", group["key"]) for group in schema.get("x-groups", ())}
    files = {str(each.id): each for each in shown.attachments}
    found: dict[str, list[Any]] = {key: [] for key in titles}
    fields = sorted(schema["properties"].items(), key=lambda pair: pair[1].get("x-order", 0))
    for name, spec in fields:
        if name in said:
            group = found.setdefault(spec.get("x-group", ""), [])
            group.append((spec.get("title", name), *answer_shown(said[name], spec, files)))
    return [(titles.get(key, ""), rows) for key, rows in found.items() if rows]


def answer_shown(value: Any, spec: Mapping[str, Any], files: Mapping[str, Any]) -> tuple[str, Any]:
    """How an answer is shown, and what: a file, yes or no, a choice by its label, or the words themselves."""
    if "x-file" in spec:
        return ("file", files[value]) if value in files else ("words", "-")
    if isinstance(value, bool):
        return "bool", value
    if spec.get("format") == "date":
        return "day", date.fromisoformat(value)
    labels = spec.get("x-labels", {})
    if isinstance(value, list):
        own = spec.get("items", {}).get("x-labels", labels)
        return "words", ", ".join(str(own.get(each, each)) for each in value)
    return ("number", value) if isinstance(value, int | float) else ("words", labels.get(value, value))
