"""Every page and form of officers in Chromium, for each role, in both languages: who adds one walks there too."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page

from app.assembly import Product
from app.callbacks.strays import SIGN_CONTEXT
from app.dashboards.city.evidence import measure_services
from app.dashboards.exports.keeping import ExportJob
from app.dashboards.exports.making import Maker
from app.dashboards.queue.escalation import escalate
from app.history.seeding import Past, write_history
from app.login.guards import Role
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from app.texts import Language
from tests.harness.browser import browser, virtual_authenticator
from tests.harness.deliveries import before_officer
from tests.harness.officer_login import code
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables
from tests.harness.walking import FORMS, PAGES, POINTED_AT, Walk, Walked, page_templates

CASES = 200
WALKS: tuple[tuple[Role, Language], ...] = (
    ("operator", "id"),
    ("supervisor", "en"),
    ("agency_head", "id"),
    ("city_admin", "en"),
    ("auditor", "id"),
    ("auditor", "en"),
)
# Pages that have one form more when something is asked of them.
FURTHER = {
    "/dashboard/cases": ("/dashboard/cases?clock=late",),
    "/dashboard/figures": ("/dashboard/figures?grain=week",),
}
NOBODYS_CASE = f"/dashboard/cases/{UUID(int=7)}"
WHY = "Dicek lewat telepon ke instansi."
_STRAY = """
INSERT INTO stray_callbacks (id, backend, agency, digest, about, reference, sign_enc)
VALUES (gen_random_uuid(), 'sicantik', 'dpmptsp', uuid_send(gen_random_uuid()), 'case', 'asing-1', $1)
"""
# Its agency is asked after it, as if it had been handed over.
_LATE = "UPDATE cases SET due_on = current_date - 4, next_refresh_at = now() + interval '1 hour' WHERE id = $1"
_IDLE = "UPDATE officer_sessions SET last_used_at = now() - interval '31 minutes' WHERE officer_id = $1"


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
async def typed(api: Api, product: Product, people: People, tables: Tables) -> Mapping[str, str]:
    """What forms are filled in with, once every list of the product has something to show."""
    await write_history(api.settings, Past(CASES, seed=5), lambda _: None)
    citizens = [await people.make() for _ in range(4)]
    for each in citizens:
        case, _ = await before_officer(product, tables, each)
        await tables.run(_LATE, UUID(case["id"]))
    for _ in range(2):
        await tables.run(_STRAY, product.vault.encrypt(b"received", SIGN_CONTEXT))
    await escalate(product.cases)
    await measure_services(product.database, product.cases.systems)
    return {
        "nik": citizens[0].person.nik,
        "q": citizens[0].person.nik,
        "reason": WHY,
        "words": WHY,
        "question": WHY,
        "name": "Sepeda",
        "reference": "0000931201112026",
        "starts_at": "2099-12-01T22:00",
        "ends_at": "2099-12-02T04:00",
    }


async def sat_down(page: Page, product: Product, officer: OfficerAtWork) -> None:
    """Logged in at this browser, and at another."""
    async with product.database.transaction() as session:
        opened, _ = [
            open_officer_session(session, product.vault, officer.id, "page", Place(each, ""))
            for each in ("Firefox, Windows", "Chrome, Android")
        ]
    cookie = {"name": SESSION, "value": opened.cookie, "domain": "localhost", "path": "/", "secure": True}
    await page.context.add_cookies([cookie])  # type: ignore[list-item] # a cookie


async def exported(officer: OfficerAtWork, product: Product, folder: Path) -> None:
    """One file that they may fetch."""
    of_record = officer.role == "auditor"
    path, asked = ("audit/exports", {}) if of_record else ("exports", {"kind": "figures"})
    answer = await officer.post(f"/v1/officer/{path}", {"format": "csv", **asked})
    assert answer.status_code == 202, answer.text
    await Maker(product.cases, folder, 100).run(ExportJob(UUID(answer.json()["id"])))


async def through_all(walk: Walk, role: Role) -> None:
    """Every page of this role, and each form that nobody sent yet."""
    for path in sorted(each.path for each in PAGES if role in each.roles and not POINTED_AT.search(each.path)):
        for address in (path, *FURTHER.get(path, ())):
            await walk.see(await walk.example(address))
            await walk.send_all(address)
    await walk.see_refusal(NOBODYS_CASE)


async def comes_back(walk: Walk, officer: OfficerAtWork) -> None:
    """After the session ended over a form."""
    await walk.press("main form[action$=new] button", is_refused=True)
    await walk.press("main .primary", name=officer.name, password=PASSWORD)
    await walk.press("main .primary", code=code())


async def begins(walk: Walk, admin: OfficerAtWork, name: str) -> None:
    """A new officer's first day, with what goes wrong; and what is shown to whoever checks a paper."""
    wanted = {"name": name, "full_name": "Rina Kartika", "role": "operator", "agency": "dpmptsp"}
    invitation = (await admin.post("/v1/officer/officers", wanted)).json()["invitation"]
    await walk.see("/dashboard/enrolment")
    await walk.press("main .primary", invitation="nothing", is_refused=True)
    await walk.press("main .primary", invitation=invitation)
    secret = await walk.page.inner_text("main code")
    await walk.press("main .primary", password=PASSWORD, code=code(-1, secret))
    await walk.see("/dashboard/login")
    await walk.press("main .primary", name=name, password=PASSWORD)
    await walk.press("main .primary", code="000000", is_refused=True)
    await walk.press("main .primary", code=code(0, secret))
    await walk.see("/dashboard/passkeys")
    await walk.press("main form[action$=new] button")
    await walk.press("form[data-passkey] button", name="Laptop kantor")
    await walk.press(".person form[action$=logout] button")
    await walk.press("main .primary", name=name, password=PASSWORD)
    await walk.press("form[data-passkey] button")
    await walk.press(".person form[action$=logout] button")
    await walk.page.context.clear_cookies()
    await walk.press("main .primary", name=name, password=PASSWORD, is_refused=True)
    await walk.see_refusal("/v1/permits/check?number=503/0001")


@pytest.mark.timeout(400)
async def test_every_page_and_form_is_walked(
    api: Api,
    product: Product,
    chromium: Browser,
    officers: Officers,
    tables: Tables,
    typed: Mapping[str, str],
    tmp_path: Path,
) -> None:
    walked = Walked()
    for role, language in WALKS:
        officer = await officers.make(role, language=language)
        if role in ("supervisor", "auditor"):
            await exported(officer, product, tmp_path)
        context = await chromium.new_context(locale=language)
        page = await context.new_page()
        walk = Walk(page, f"http://localhost:{api.settings.port}", walked, typed)
        await virtual_authenticator(page)
        await sat_down(page, product, officer)
        await through_all(walk, role)
        if role in ("operator", "supervisor"):
            await walk.see("/dashboard/passkeys")
            await tables.run(_IDLE, officer.id)
            await comes_back(walk, officer)
        await context.close()
    for language in ("id", "en"):
        context = await chromium.new_context(locale=language)
        walk = Walk(await context.new_page(), f"http://localhost:{api.settings.port}", walked, typed)
        await virtual_authenticator(walk.page)
        await begins(walk, await officers.make("city_admin", language=language), f"baru.{language}")
        await context.close()
    assert not walked.faults, "\n".join(walked.faults)
    assert {each.path for each in PAGES} - walked.opened == set(), "nobody opened these"
    assert {each.path for each in FORMS} - walked.sent == set(), "nobody sent these"
    wanted = {each for each in page_templates() if not each.startswith("provider/")}
    assert {(each, language) for each in wanted for language in ("id", "en")} - walked.seen == set(), "nobody saw these"
