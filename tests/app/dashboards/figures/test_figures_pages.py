"""Pages of figures in Chromium: what they filter, without scripts."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext

from app.dashboards.figures.counting import Counting
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from tests.harness.browser import browser
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.product import Api


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
