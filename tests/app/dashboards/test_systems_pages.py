"""Pages of systems' health, of the desk and of the record in Chromium: for every role, on a phone and a desk."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from app.assembly import Product
from app.dashboards.city.evidence import measure_services
from app.login.guards import Role
from tests.harness.browser import browser
from tests.harness.cases import SERVICE, hand_in
from tests.harness.deliveries import before_officer
from tests.harness.officer_login import code
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

SIZES = {"phone": (375, 812), "desk": (1280, 900)}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PHOTOS = os.environ.get("LOKET_PHOTOS", "")
WHY = "Dicek lewat telepon ke instansi."


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


class Walk:
    """One officer at a browser: every page is whole, asks nobody else, says nothing on the console."""

    def __init__(self, page: Page, api: Api, name: str) -> None:
        self.page, self.api, self.name = page, api, name
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

    async def see(self, path: str, label: str) -> str:
        """The page's text; it must be for everybody, and as wide as the screen."""
        answer = await self.page.goto(f"{self.api.url}{path}")
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        await self.whole(label)
        return await self.page.inner_text("main")

    async def whole(self, label: str) -> None:
        if PHOTOS:
            await self.page.screenshot(path=Path(PHOTOS) / f"{self.name}-{label}.png", full_page=True)
        found = (await Axe().run(self.page, options=RULES)).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], label
        wide = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{label} is wider than the screen"
        assert self.faults == [], label


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("size", "scheme", "language", "role"),
    [("phone", "dark", "id", "supervisor"), ("desk", "light", "en", "city_admin"), ("desk", "light", "id", "operator")],
)
async def test_systems_and_desk(
    api: Api,
    officers: Officers,
    people: People,
    tables: Tables,
    product: Product,
    chromium: Browser,
    size: str,
    scheme: Literal["light", "dark"],
    language: Literal["id", "en"],
    role: Role,
) -> None:
    officer = await officers.make(role, language=language)
    case, delivery_id = await before_officer(product, tables, await people.make())
    width, height = SIZES[size]
    context = await chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    walk = Walk(await context.new_page(), api, f"{role}-{size}-{scheme}-{language}")
    await walk.log_in(officer)
    assert "SICANTIK" in await walk.see("/dashboard/systems", "systems")
    await walk.see("/dashboard/systems/sicantik", "system")
    assert case["number"] in await walk.see("/dashboard/desk", "desk")
    await walk.see(f"/dashboard/desk/{delivery_id}", "delivery")
    await walk.page.fill("#retry-reason", WHY)
    await walk.page.click("form[action$='/retry'] button")
    await walk.page.wait_for_selector("[role=status]")
    assert WHY in await walk.page.inner_text("main")
    await walk.whole("retried")
    if role == "city_admin":
        await city_pages(walk, product)
    await context.close()


async def city_pages(walk: Walk, product: Product) -> None:
    await measure_services(product.database)
    assert "DPMPTSP" in await walk.see("/dashboard/city", "city")
    await walk.see("/dashboard/city/services", "maturity")
    await walk.see(f"/dashboard/city/services/{SERVICE}", "evidence")


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("size", "scheme", "language"), [("phone", "light", "id"), ("desk", "dark", "en")])
async def test_the_record(
    api: Api,
    officers: Officers,
    people: People,
    chromium: Browser,
    size: str,
    scheme: Literal["light", "dark"],
    language: Literal["id", "en"],
) -> None:
    auditor, citizen = await officers.make("auditor", language=language), await people.make()
    await hand_in(citizen)
    width, height = SIZES[size]
    context = await chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    walk = Walk(await context.new_page(), api, f"auditor-{size}-{scheme}-{language}")
    await walk.log_in(auditor)
    await walk.see("/dashboard/audit", "audit")
    await walk.page.click("details.card > summary")
    await walk.page.fill("#nik", citizen.person.nik)
    await walk.page.click("form[action$='/subjects'] button")
    await walk.page.wait_for_url(f"**/dashboard/audit?subject={citizen.id}")
    assert citizen.person.nik not in await walk.page.content()
    await walk.whole("subject")
    await walk.see(f"/dashboard/audit/readings?subject={citizen.id}", "readings")
    await walk.see("/dashboard/audit/checks", "checks")
    await walk.page.click("form[action='/dashboard/audit/checks'] button")
    await walk.page.wait_for_selector("[role=status], [role=alert]")
    # One that is under way already is told with a 409, which a browser notes on its console.
    walk.faults = [each for each in walk.faults if "409" not in each]
    await walk.whole("checking")
    await walk.see("/dashboard/city", "city")
    await context.close()
