"""Officers' forms in Chromium: refused, clicked twice, and sent when the session was over."""

from collections.abc import AsyncIterator
from typing import Literal
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from app.assembly import Product
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from tests.harness.browser import browser
from tests.harness.cases import hand_in
from tests.harness.everybody import barriers
from tests.harness.officer_login import code
from tests.harness.officers import PASSWORD, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

LONG = "Mohon kirim denah lokasi yang baru,\nkarena yang lama tidak terbaca."
_IDLE = "UPDATE officer_sessions SET last_used_at = now() - interval '31 minutes' WHERE officer_id = $1"
_WORK = "SELECT count(*) FROM case_work WHERE case_id = $1 AND kind = $2"


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


async def look(page: Page) -> None:
    assert await barriers(page) == [], page.url


async def log_in(page: Page, name: str) -> None:
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.fill("#code", code())
    await page.press("#code", "Enter")


@pytest.mark.parametrize(("width", "scheme", "language"), [(360, "dark", "id"), (1280, "light", "en")])
async def test_no_word_is_lost(
    api: Api,
    product: Product,
    chromium: Browser,
    officers: Officers,
    people: People,
    tables: Tables,
    width: int,
    scheme: Literal["light", "dark"],
    language: Literal["id", "en"],
) -> None:
    case = await hand_in(await people.make())
    officer = await officers.make("supervisor", language=language)
    async with product.database.transaction() as session:
        opened = open_officer_session(session, product.vault, officer.id, "page", Place("test", ""))
    context = await chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, locale=language)
    await context.add_cookies(
        [{"name": SESSION, "value": opened.cookie, "domain": "127.0.0.1", "path": "/", "secure": True}]
    )
    page = await context.new_page()
    place, case_id = f"{api.url}/dashboard/cases/{case['id']}", UUID(case["id"])
    # Refused, by us alone: a browser that lets it pass.
    await page.goto(place)
    await page.click("details:has(#question) summary")
    await page.eval_on_selector("#question", "each => each.removeAttribute('minlength')")
    await page.fill("#question", "x")
    await page.click("details:has(#question) button")
    await expect(page.locator("#problem")).to_be_focused()
    await look(page)
    await page.click("#problem a")
    await expect(page.locator("#question")).to_be_visible()
    assert await page.get_attribute("#question", "aria-describedby") == "question-fault question-help"
    # Clicked twice.
    await page.goto(place)
    await page.click("details:has(#words) summary")
    await page.fill("#words", LONG)
    await page.dblclick("details:has(#words) button")
    await expect(page.locator(".notice.good")).to_be_visible()
    await expect(page.locator(".said", has_text="denah lokasi")).to_have_count(1)
    assert await tables.value(_WORK, case_id, "note") == 1
    # The session ended over the writing.
    await page.click("details:has(#question) summary")
    await page.fill("#question", LONG)
    await tables.run(_IDLE, officer.id)
    await page.click("details:has(#question) button")
    await look(page)
    assert "denah" not in await page.content()
    await log_in(page, officer.name)
    await expect(page.locator("input[name=resumed]")).to_have_count(1)
    await look(page)
    await page.click("button.primary")
    await expect(page.locator("#question")).to_have_value(LONG)
    await look(page)
    assert await tables.value(_WORK, case_id, "asked") == 0
    await page.click("details:has(#question) button")
    await expect(page.locator(".notice.good")).to_be_visible()
    assert await tables.value(_WORK, case_id, "asked") == 1
    await context.close()
