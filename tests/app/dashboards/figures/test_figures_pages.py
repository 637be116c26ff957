"""Pages of figures in Chromium: every role that sees them, both languages, sizes and themes; axe finds nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from app.dashboards.figures.counting import Counting
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from tests.harness.browser import browser
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.product import Api

PATHS = (
    "/dashboard/figures",
    "/dashboard/figures?grain=week",
    "/dashboard/figures/backlog",
    "/dashboard/figures/survey",
    "/dashboard/figures/exports",
)
SIZES = {"phone": (360, 780), "desk": (1366, 860)}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


async def seen_by(officer: OfficerAtWork, officers: Officers, chromium: Browser, **how: Any) -> BrowserContext:
    """A browser in which the officer is logged in."""
    product = officers.product
    async with product.database.transaction() as session:
        opened = open_officer_session(session, product.vault, officer.id, "page", Place("test", ""))
    return await chromium.new_context(extra_http_headers={"Cookie": f"{SESSION}={opened.cookie}"}, **how)


def listen(page: Page, home: str) -> list[str]:
    """What the console says, and every request that leaves this machine."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A browser asks every host for its icon.
        if "favicon" not in message.location["url"]:
            said.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith(home):
            said.append(request.url)

    page.on("console", hear)
    page.on("request", watch)
    return said


@pytest.mark.parametrize(("role", "agency"), [("agency_head", "dinkes"), ("city_admin", None)])
async def test_every_page_is_whole_and_open_to_all(
    api: Api, officers: Officers, chromium: Browser, counting: Counting, role: Any, agency: str | None
) -> None:
    await counting.run(everything=True)
    officer = await officers.make(role, agency) if agency else await officers.make(role)
    for size, theme in (("desk", "light"), ("phone", "dark")):
        width, height = SIZES[size]
        how = {"viewport": {"width": width, "height": height}, "color_scheme": theme}
        context = await seen_by(officer, officers, chromium, **how)
        page = await context.new_page()
        said = listen(page, api.url)
        for path in PATHS:
            answer = await page.goto(f"{api.url}{path}")
            assert answer
            assert answer.status == 200, path
            found = await Axe().run(page, options=RULES)
            assert found.violations_count == 0, f"{path} {size}: {found.generate_report()}"
            assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                f"{path} is too wide"
            )
            assert agency is None or "Reklame" not in await page.inner_text("main")
        assert said == []
        await context.close()


async def test_filters_work_without_scripts(
    api: Api, officers: Officers, chromium: Browser, counting: Counting
) -> None:
    await counting.run(everything=True)
    context = await seen_by(await officers.make("auditor"), officers, chromium, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{api.url}/dashboard/figures")
    await page.select_option("#agency", "dinkes")
    await page.select_option("#grain", "week")
    await page.click("form.filters button[type=submit]")
    assert "agency=dinkes" in page.url
    rows = await page.locator("section[aria-labelledby=services] tbody th").all_inner_texts()
    assert rows
    assert all("Reklame" not in row for row in rows)
    await context.close()
