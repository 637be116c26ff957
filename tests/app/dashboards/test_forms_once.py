"""Every form of officers' pages sent ten times at once has one effect, and answers each time as the first time."""

import html
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from app.assembly import Product
from app.callbacks.strays import SIGN_CONTEXT
from app.database import utc_now
from app.login.guards import Role
from app.login.jobs import purge
from tests.harness.authenticator import Authenticator
from tests.harness.cases import hand_in
from tests.harness.deliveries import before_officer
from tests.harness.officer_login import Pages
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

TIMES = 10
WHY = "Dicek lewat telepon ke instansi."


class Ground(msgspec.Struct, frozen=True):
    """What the forms are about: a case, its delivery that waits for an officer, and whoever sends them."""

    tables: Tables
    officer: OfficerAtWork
    case_id: str
    delivery_id: UUID


class Form(msgspec.Struct, frozen=True):
    """One form: `role` sends it from `page`; `effect` counts what it did. `before`: statements that prepare it, which
    are given the officer's id. A path and a field may name the `{case}`, the `{delivery}` or the `{thing}`."""

    role: Role
    page: str
    path: str
    fields: dict[str, str]
    effect: str
    before: tuple[str, ...] = ()


_WORK = "SELECT count(*) FROM case_work WHERE case_id = '{case}' AND kind = "
_DEEDS = "SELECT count(*) FROM delivery_actions WHERE delivery_id = '{delivery}' AND action = "
_AUDIT = "SELECT count(*) FROM audit_rows WHERE actor_id = '{officer}' AND action = "
_WINDOWS = "SELECT count(*) FROM maintenance_windows WHERE officer = '{officer}'"
_VIEW = "INSERT INTO officer_views (id, officer_id, name, filters) VALUES ('{thing}', '{officer}', 'a', '{{}}')"
_WINDOW = (
    "INSERT INTO maintenance_windows (id, backend, service, starts_at, ends_at, reason, officer) "
    "VALUES ('{thing}', 'sicantik', '', now(), now() + interval '1 day', 'x', '{officer}')"
)
_PAUSED = (
    "INSERT INTO maintenance_windows (id, backend, service, starts_at, reason, officer) "
    "VALUES ('{thing}', 'sicantik', '', now(), 'x', '{officer}')"
)
_ESCALATED = "INSERT INTO case_escalations (case_id, stage, agency) VALUES ('{case}', 'late', 'dpmptsp')"
_EXPORT = (
    "INSERT INTO exports (id, officer_id, agency, kind, format, language, from_on, until_on, expires_at) VALUES "
    "('{thing}', '{officer}', 'dpmptsp', 'figures', 'csv', 'id', '2026-01-01', '2026-02-01', now() + interval '1 day')"
)
_SESSION = (
    "INSERT INTO officer_sessions (id, officer_id, kind, expires_at) "
    "VALUES ('{thing}', '{officer}', 'token', now() + interval '1 hour')"
)
_RECORD = (
    "INSERT INTO exports (id, officer_id, agency, kind, format, language, from_on, until_on, expires_at) VALUES "
    "('{thing}', '{officer}', '', 'audit', 'csv', 'id', '2026-01-01', '2026-02-01', now() + interval '1 day')"
)
_STRAY = (
    "INSERT INTO stray_callbacks (id, backend, agency, digest, about, reference, sign_enc) VALUES "
    "('{thing}', 'sicantik', 'dpmptsp', uuid_send('{thing}'), 'case', 'asing-1', '\\x{sign}')"
)
_PASSKEY = (
    "INSERT INTO officer_passkeys (id, officer_id, credential_id, public_key, sign_count, backed_up) "
    "VALUES ('{thing}', '{officer}', '{thing}', '', 0, false)"
)
CASE, DELIVERY, SYSTEM = "/dashboard/cases/{case}", "/dashboard/desk/{delivery}", "/dashboard/systems/sicantik"
EXPORTS = "/dashboard/figures/exports"
STRAYS, RECORDS = "/dashboard/desk/callbacks", "/dashboard/audit/exports"
FORMS = {
    "note": Form("supervisor", CASE, f"{CASE}/notes", {"words": "Berkas lengkap."}, f"{_WORK}'note'"),
    "question": Form("supervisor", CASE, f"{CASE}/questions", {"question": "Tinggi tiang?"}, f"{_WORK}'asked'"),
    "take": Form("operator", CASE, "/dashboard/cases/assign", {"ids": "{case}", "officer": "me"}, f"{_WORK}'assigned'"),
    "refresh": Form(
        "supervisor",
        CASE,
        f"{CASE}/refresh",
        {},
        f"{_WORK}'refresh_asked'",
        ("UPDATE cases SET next_refresh_at = now() + interval '1 day' WHERE id = '{case}'",),
    ),
    "keep filters": Form(
        "operator",
        "/dashboard/cases?clock=late",
        "/dashboard/views",
        {"name": "Terlambat", "query": '{{"clock":"late"}}'},
        "SELECT count(*) FROM officer_views WHERE officer_id = '{officer}'",
    ),
    "drop filters": Form(
        "operator",
        "/dashboard/cases",
        "/dashboard/views/{thing}/remove",
        {},
        "SELECT 1 - count(*) FROM officer_views WHERE id = '{thing}'",
        (_VIEW,),
    ),
    "see warnings": Form(
        "supervisor",
        "/dashboard/warnings",
        "/dashboard/warnings/seen",
        {"ids": "{case}"},
        "SELECT count(*) FROM case_escalations WHERE case_id = '{case}' AND seen_at IS NOT NULL",
        (_ESCALATED,),
    ),
    "pause": Form("operator", SYSTEM, f"{SYSTEM}/pause", {"reason": WHY}, f"{_WINDOWS} AND ends_at IS NULL"),
    "resume": Form("operator", SYSTEM, f"{SYSTEM}/resume", {"reason": WHY}, f"{_AUDIT}'backend.resumed'", (_PAUSED,)),
    "hold a breaker": Form(
        "operator", SYSTEM, f"{SYSTEM}/breaker", {"state": "auto", "reason": WHY}, f"{_AUDIT}'breaker.auto'"
    ),
    "plan maintenance": Form(
        "supervisor", SYSTEM, f"{SYSTEM}/maintenance", {"ends_at": "2099-12-01T17:00", "reason": WHY}, _WINDOWS
    ),
    "end maintenance": Form(
        "supervisor", SYSTEM, f"{SYSTEM}/maintenance/{{thing}}/end", {}, f"{_AUDIT}'maintenance.ended'", (_WINDOW,)
    ),
    "retry": Form("operator", DELIVERY, f"{DELIVERY}/retry", {"reason": WHY}, f"{_DEEDS}'retry'"),
    "retry many": Form(
        "operator", "/dashboard/desk", "/dashboard/desk/retry", {"reason": WHY, "ids": "{delivery}"}, f"{_DEEDS}'retry'"
    ),
    "resolve": Form(
        "operator",
        DELIVERY,
        f"{DELIVERY}/resolve",
        {"outcome": "rejected", "reason": WHY, "reference": ""},
        f"{_DEEDS}'propose_rejected'",
    ),
    "ask for an export": Form(
        "supervisor",
        EXPORTS,
        EXPORTS,
        {"kind": "figures", "format": "csv"},
        "SELECT count(*) FROM exports WHERE officer_id = '{officer}'",
    ),
    "delete an export": Form(
        "supervisor",
        EXPORTS,
        f"{EXPORTS}/{{thing}}/delete",
        {},
        "SELECT 1 - count(*) FROM exports WHERE id = '{thing}'",
        (_EXPORT,),
    ),
    "dismiss strays": Form(
        "operator",
        STRAYS,
        f"{STRAYS}/dismiss",
        {"ids": "{thing}", "reason": WHY},
        f"{_AUDIT}'callback.dismissed'",
        (_STRAY,),
    ),
    "ask for the record": Form(
        "auditor",
        "/dashboard/audit?action=case.read",
        RECORDS,
        {"format": "csv", "action": "case.read"},
        f"{_AUDIT}'audit.exported'",
    ),
    "delete the record's export": Form(
        "auditor",
        RECORDS,
        f"{RECORDS}/{{thing}}/delete",
        {},
        "SELECT 1 - count(*) FROM exports WHERE id = '{thing}'",
        (_RECORD,),
    ),
    "verify the record": Form(
        "auditor",
        "/dashboard/audit/checks",
        "/dashboard/audit/checks",
        {},
        "SELECT count(*) FROM audit_checks WHERE asked_by = '{officer}'",
    ),
    "end a session": Form(
        "operator",
        "/dashboard",
        "/dashboard/sessions/{thing}/end",
        {},
        f"{_AUDIT}'officer.logged_out'",
        (_SESSION,),
    ),
    "remove a passkey": Form(
        "operator",
        "/dashboard/passkeys",
        "/dashboard/passkeys/{thing}/remove",
        {},
        f"{_AUDIT}'officer.passkey_removed'",
        (_PASSKEY,),
    ),
}


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


@pytest.fixture
async def ground(
    product: Product, tables: Tables, officers: Officers, people: People
) -> AsyncIterator[Callable[[Role], Awaitable[Ground]]]:
    async def made(role: Role) -> Ground:
        case, delivery_id = await before_officer(product, tables, await people.make())
        return Ground(tables, await officers.make(role), case["id"], delivery_id)

    yield made
    await tables.run("DELETE FROM maintenance_windows")


@pytest.mark.parametrize("name", FORMS)
async def test_ten_times_at_once_is_once(
    product: Product, pages: Pages, ground: Callable[[Role], Awaitable[Ground]], name: str
) -> None:
    form = FORMS[name]
    it = await ground(form.role)
    names = {"case": it.case_id, "delivery": it.delivery_id, "officer": it.officer.id, "thing": uuid4()}
    names["sign"] = product.vault.encrypt(b"received", SIGN_CONTEXT).hex()
    for statement in form.before:
        await it.tables.run(statement.format(**names))
    await pages.sit_down(product, it.officer)
    shown = await pages.get(form.page.format(**names))
    assert shown.status_code == 200
    path, effect = form.path.format(**names), form.effect.format(**names)
    assert f'action="{path}"' in shown.text, "the page has the form"
    fields = {field: value.format(**names) for field, value in form.fields.items()}
    answers = await pages.send_at_once(path, fields, TIMES)
    assert answers[0].status_code == 303, answers[0].text
    assert {(each.status_code, each.headers.get("location")) for each in answers} == {
        (303, answers[0].headers["location"])
    }
    assert await it.tables.value(effect) == 1
    # Back, and sent again.
    again = await pages.send(path, fields)
    assert again.headers.get("location") == answers[0].headers["location"]
    assert await it.tables.value(effect) == 1


async def test_a_passkey_sent_ten_times_at_once_is_one(
    api: Api, product: Product, pages: Pages, officers: Officers, tables: Tables
) -> None:
    """What a browser has made is good once; the form that brings it is known by that, and by its mark."""
    officer = await officers.make()
    await pages.sit_down(product, officer)
    await pages.get("/dashboard/passkeys")
    shown = await pages.send("/dashboard/passkeys/new", {})
    [options] = re.findall(r'data-options="([^"]*)"', shown.text)
    device = Authenticator(f"http://localhost:{api.settings.port}")
    credential = json.dumps(device.create(json.loads(html.unescape(options))))
    fields = {"challenge": pages.hidden("challenge"), "credential": credential, "name": "Laptop"}
    answers = await pages.send_at_once("/dashboard/passkeys", fields, TIMES)
    assert {(each.status_code, each.headers.get("location")) for each in answers} == {
        (303, "/dashboard/passkeys?done=passkey_added")
    }
    assert await tables.value("SELECT count(*) FROM officer_passkeys WHERE officer_id = $1", officer.id) == 1
    added = "SELECT count(*) FROM audit_rows WHERE actor_id = $1 AND action = 'officer.passkey_added'"
    assert await tables.value(added, str(officer.id)) == 1


async def test_what_was_changed_in_between_is_another_form(
    product: Product, pages: Pages, ground: Callable[[Role], Awaitable[Ground]]
) -> None:
    it = await ground("supervisor")
    await pages.sit_down(product, it.officer)
    path = f"/dashboard/cases/{it.case_id}"
    for words in ("Berkas lengkap.", "Berkas lengkap.", "Denah menyusul."):
        await pages.send(f"{path}/notes", {"mark": pages.mark() or await _mark(pages, path), "words": words})
    notes = "SELECT count(*) FROM case_work WHERE case_id = $1 AND kind = 'note'"
    assert await it.tables.value(notes, UUID(it.case_id)) == 2
    # The same words again, from the page as it is now: meant.
    await pages.get(path)
    await pages.send(f"{path}/notes", {"words": "Berkas lengkap."})
    assert await it.tables.value(notes, UUID(it.case_id)) == 3


async def test_another_officers_form_is_another(
    api: Api, product: Product, officers: Officers, people: People, tables: Tables
) -> None:
    case_id = (await hand_in(await people.make()))["id"]
    for _ in range(2):
        pages = Pages(api.url)
        await pages.sit_down(product, await officers.make("supervisor"))
        await pages.get(f"/dashboard/cases/{case_id}")
        assert (await pages.send(f"/dashboard/cases/{case_id}/notes", {"words": "Sudah dicek."})).status_code == 303
        await pages.close()
    assert await tables.value("SELECT count(*) FROM case_work WHERE case_id = $1", UUID(case_id)) == 2


async def test_refused_is_not_carried_out_and_may_come_again(
    product: Product, pages: Pages, ground: Callable[[Role], Awaitable[Ground]]
) -> None:
    it = await ground("operator")
    await pages.sit_down(product, it.officer)
    path = f"/dashboard/cases/{it.case_id}"
    await pages.get(path)
    sent: dict[str, Any] = {"mark": pages.mark(), "words": "Sudah dicek."}
    assert (await pages.send(f"{path}/notes", sent)).status_code == 403, "not theirs yet"
    await it.tables.run("UPDATE cases SET assignee_id = $2 WHERE id = $1", UUID(it.case_id), it.officer.id)
    assert (await pages.send(f"{path}/notes", sent)).status_code == 303


async def test_kept_for_a_day(product: Product, pages: Pages, ground: Callable[[Role], Awaitable[Ground]]) -> None:
    it = await ground("supervisor")
    await pages.sit_down(product, it.officer)
    path = f"/dashboard/cases/{it.case_id}"
    await pages.get(path)
    await pages.send(f"{path}/notes", {"words": "Sudah dicek."})
    [kept] = await it.tables.rows("SELECT * FROM officer_forms WHERE officer_id = $1", it.officer.id)
    assert kept["location"] == f"{path}?done=noted"
    assert 86_000 < (kept["expires_at"] - utc_now()).total_seconds() <= 86_400
    await purge(product.database)
    assert await it.tables.value("SELECT count(*) FROM officer_forms WHERE officer_id = $1", it.officer.id) == 1
    await it.tables.run("UPDATE officer_forms SET expires_at = now() WHERE officer_id = $1", it.officer.id)
    await purge(product.database)
    assert await it.tables.value("SELECT count(*) FROM officer_forms WHERE officer_id = $1", it.officer.id) == 0


async def _mark(pages: Pages, path: str) -> str:
    await pages.get(path)
    return pages.mark()
