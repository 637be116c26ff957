"""Pages of systems' health, of the desk and of the record in Chromium: what officers do there."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from app.assembly import Product
from app.backends.measuring import SLOT_S, Count, Kind, write_counts
from app.callbacks.strays import SIGN_CONTEXT
from app.dashboards.city.evidence import measure_services
from app.database import utc_now
from app.login.guards import Role
from tests.harness.browser import browser
from tests.harness.cases import SERVICE, hand_in
from tests.harness.deliveries import before_officer
from tests.harness.officer_login import code
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

_STRAY = """
INSERT INTO stray_callbacks (id, backend, agency, digest, about, reference, sign_enc)
VALUES (gen_random_uuid(), 'sicantik', 'dpmptsp', uuid_send(gen_random_uuid()), 'case', 'asing-1', $1)
"""
WHY = "Dicek lewat telepon ke instansi."


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


class Walk:
    """One officer at a browser: no page asks anybody else, or says a thing on the console."""

    def __init__(self, page: Page, api: Api) -> None:
        self.page, self.api = page, api
        self.faults: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._asked)

    def _asked(self, request: object) -> None:
        address = str(getattr(request, "url", ""))
        if not address.startswith((self.api.url, "data:")):
            self.faults.append(f"asked {address}")

    async def log_in(self, officer: OfficerAtWork) -> None:
        await self.page.goto(f"{self.api.url}/dashboard")
        await self.page.fill("#name", officer.name)
        await self.page.fill("#password", PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_selector("#code")
        await self.page.fill("#code", code())
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_selector("nav.menu")

    async def see(self, path: str) -> str:
        """The page's text."""
        answer = await self.page.goto(f"{self.api.url}{path}")
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        assert self.faults == [], path
        return await self.page.inner_text("main")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("role", ["supervisor", "city_admin"])
async def test_systems_and_desk(
    api: Api, officers: Officers, people: People, tables: Tables, product: Product, chromium: Browser, role: Role
) -> None:
    officer = await officers.make(role)
    case, delivery_id = await before_officer(product, tables, await people.make())
    context = await chromium.new_context()
    walk = Walk(await context.new_page(), api)
    await walk.log_in(officer)
    assert "SICANTIK" in await walk.see("/dashboard/systems")
    await walk.see("/dashboard/systems/sicantik")
    assert case["number"] in await walk.see("/dashboard/desk")
    await walk.see(f"/dashboard/desk/{delivery_id}")
    await walk.page.fill("#retry-reason", WHY)
    await walk.page.click("form[action$='/retry'] button")
    await walk.page.wait_for_selector("[role=status]")
    assert WHY in await walk.page.inner_text("main")
    await dismissed_there(walk, tables, product)
    if role == "city_admin":
        await measure_services(product.database, product.cases.systems)
        assert "DPMPTSP" in await walk.see("/dashboard/city")
        await walk.see(f"/dashboard/city/services/{SERVICE}")
    assert walk.faults == []
    await context.close()


async def dismissed_there(walk: Walk, tables: Tables, product: Product) -> None:
    sealed = product.vault.encrypt(b"received", SIGN_CONTEXT)
    await tables.run(_STRAY, sealed)
    await walk.see("/dashboard/systems/sicantik")
    await walk.page.click("a[href^='/dashboard/desk/callbacks']")
    assert "asing-1" in await walk.page.inner_text("main")
    await walk.page.check("input[name=ids]")
    await walk.page.fill("#reason", WHY)
    await walk.page.click("form[action$='/dismiss'] button")
    await walk.page.wait_for_selector("[role=status]")
    assert "asing-1" not in await walk.page.inner_text("main")


@pytest.mark.timeout(240)
async def test_two_officers_say_how_a_delivery_ended(
    api: Api, officers: Officers, people: People, tables: Tables, product: Product, chromium: Browser
) -> None:
    _, delivery_id = await before_officer(product, tables, await people.make())
    said: list[str] = []
    for role in ("operator", "supervisor"):
        context = await chromium.new_context(java_script_enabled=False)
        page = await context.new_page()
        walk = Walk(page, api)
        await walk.log_in(await officers.make(role))
        await page.goto(f"{api.url}/dashboard/desk/{delivery_id}")
        form = page.locator("form[action$='/resolve']")
        if not await form.is_visible():
            await page.click("text=Catat hasilnya")
        await form.locator("#outcome").select_option("delivered")
        await form.locator("#reference").fill("0000931201112026")
        await form.locator("#resolve-reason").fill(WHY)
        await form.locator("button").click()
        said.append(await page.inner_text("[role=status]"))
        await context.close()
    assert said == [
        "Dicatat. Berlaku setelah petugas lain mencatat hal yang sama.",
        "Dicatat: instansi sudah menerimanya.",
    ]
    assert await tables.value("SELECT state FROM deliveries WHERE id = $1", delivery_id) == "delivered"


@pytest.mark.timeout(240)
async def test_an_open_breaker_is_seen_and_maintenance_is_planned(
    api: Api, officers: Officers, product: Product, chromium: Browser
) -> None:
    supervisor = await officers.make("supervisor")
    async with product.database.connection() as connection:
        await write_counts(connection, a_day_of_calls())
    policy = product.found.clients["sicantik"].manifest.operations["register"]
    breaker = product.backends.breakers.of("sicantik", "register", policy)
    for _ in range(policy.breaker_failures):
        await breaker.failed("free")
    context = await chromium.new_context()
    walk = Walk(await context.new_page(), api)
    await walk.log_in(supervisor)
    assert "Pemutus terbuka" in await walk.see("/dashboard/systems")
    shown = await walk.see("/dashboard/systems/sicantik")
    assert "Pemutus terbuka" in shown
    assert f"{policy.breaker_failures} kali gagal berturut-turut" in shown
    assert WHY not in shown
    await walk.page.click("text=Rencanakan pemeliharaan")
    await walk.page.fill("#starts_at", "2099-12-01T22:00")
    await walk.page.fill("#ends_at", "2099-12-02T04:00")
    await walk.page.fill("#plan-reason", WHY)
    await walk.page.click("form[action$='/maintenance'] button")
    await walk.page.wait_for_selector("[role=status]")
    planned = await walk.page.inner_text("main")
    assert WHY in planned
    assert "22.00 WIB" in planned
    await walk.page.click("form[action$='/end'] button")
    await walk.page.wait_for_selector("[role=status]")
    assert WHY not in await walk.page.inner_text("main")
    await breaker.answered("free")
    assert walk.faults == []
    await context.close()


def a_day_of_calls() -> dict[Kind, Count]:
    """Busy by day, quiet at night, with an hour in which much failed."""
    now, counted = utc_now(), {}
    newest = int(now.timestamp()) // SLOT_S * SLOT_S
    for back in range(280):
        busy = 5 + abs(140 - back) // 4
        for operation, bucket in (("register", 24), ("track", 17)):
            failed = busy // 2 if 60 < back < 72 else 0
            slot_s = newest - SLOT_S * back
            counted[Kind("sicantik", operation, slot_s, "ok", bucket + back % 3)] = Count(busy - failed, now)
            if failed:
                counted[Kind("sicantik", operation, slot_s, "unavailable", 30)] = Count(failed * 2, now)
    return counted


@pytest.mark.timeout(240)
async def test_the_record(api: Api, officers: Officers, people: People, chromium: Browser) -> None:
    auditor, citizen = await officers.make("auditor"), await people.make()
    await hand_in(citizen)
    context = await chromium.new_context()
    walk = Walk(await context.new_page(), api)
    await walk.log_in(auditor)
    await walk.see("/dashboard/audit")
    await walk.page.click("details.card > summary")
    await walk.page.fill("#nik", citizen.person.nik)
    await walk.page.click("form[action$='/subjects'] button")
    await walk.page.wait_for_url(f"**/dashboard/audit?subject={citizen.id}")
    assert citizen.person.nik not in await walk.page.content()
    await walk.see(f"/dashboard/audit/readings?subject={citizen.id}")
    await walk.see("/dashboard/audit/checks")
    await walk.page.click("form[action='/dashboard/audit/checks'] button")
    await walk.page.wait_for_selector("[role=status], [role=alert]")
    # One that is under way already is told with a 409, which a browser notes on its console.
    walk.faults = [each for each in walk.faults if "409" not in each]
    await walk.see("/dashboard/city")
    await context.close()
