"""The pages of cases in Chromium, without and with scripts: what an officer does, and nothing leaves."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from app.assembly import Product
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from tests.harness.browser import browser
from tests.harness.cases import hand_in
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

LIST = "/dashboard/cases"


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


class Desk:
    """An officer's browser: what it asked for elsewhere, and what it complained of."""

    def __init__(self, context: BrowserContext, page: Page, api: Api) -> None:
        self.context, self.page, self._api = context, page, api
        self.faults: list[str] = []
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: None if asked.url.startswith(api.url) else self.faults.append(asked.url))

    async def open(self, path: str) -> None:
        answer = await self.page.goto(f"{self._api.url}{path}")
        assert answer is not None
        assert answer.status == 200, await self.page.content()


async def at_desk(product: Product, api: Api, chromium: Browser, officer: OfficerAtWork, **how: Any) -> Desk:
    async with product.database.transaction() as session:
        opened = open_officer_session(session, product.vault, officer.id, "page", Place("test", ""))
    context = await chromium.new_context(**how)
    await context.add_cookies(
        [{"name": SESSION, "value": opened.cookie, "domain": "127.0.0.1", "path": "/", "secure": True}]
    )
    return Desk(context, await context.new_page(), api)


async def test_a_case_is_worked_on_without_a_script(
    api: Api, product: Product, chromium: Browser, officers: Officers, people: People
) -> None:
    citizen = await people.make()
    handed = await hand_in(citizen)
    desk = await at_desk(product, api, chromium, await officers.make("operator"), java_script_enabled=False)
    page = desk.page
    await desk.open(LIST)
    await page.check(f"input[value='{handed['id']}']")
    await page.click("text=Ambil yang dipilih")
    await expect(page.locator(".notice.good")).to_contain_text("menjadi tugas Anda")
    await page.fill("#q", handed["number"])
    await page.press("#q", "Enter")
    await expect(page.locator("h1")).to_have_text(handed["number"])
    await page.click("summary:has-text('Tulis catatan')")
    await page.fill("#words", "Berkas asli <b>lengkap</b>")
    await page.click("text=Simpan catatan")
    await expect(page.locator("#work + p + ul .said").first).to_have_text("Berkas asli <b>lengkap</b>")
    await page.click("summary:has-text('Tanya pemohon')")
    await page.fill("#question", "Berapa tinggi tiangnya?")
    await page.click("text=Kirim pertanyaan")
    await expect(page.locator(".notice.good")).to_contain_text("dikirim kepada pemohon")
    assert (await citizen.get(f"/v1/cases/{handed['id']}")).json()["question"] == "Berapa tinggi tiangnya?"
    async with page.expect_download() as download:
        await page.click("a[download] >> nth=0")
    assert (await download.value).suggested_filename == "berkas.pdf"
    await page.click("text=Lepaskan")
    await expect(page.locator("#work + p + ul")).to_contain_text("melepaskannya")
    await desk.open(LIST)
    await page.fill("#q", citizen.person.nik)
    await page.press("#q", "Enter")
    await expect(page.locator("tbody a")).to_have_text([handed["number"]])
    assert citizen.person.nik not in page.url
    assert desk.faults == []
    await desk.context.close()


async def test_filters_are_kept_and_dropped(api: Api, product: Product, chromium: Browser, officers: Officers) -> None:
    desk = await at_desk(product, api, chromium, await officers.make("agency_head"))
    page = desk.page
    await desk.open(LIST)
    await page.select_option("#clock", "late")
    await page.click("text=Terapkan")
    await page.click("summary:has-text('Simpan saringan')")
    await page.fill("#name", "Yang terlambat")
    await page.click("button:has-text('Simpan saringan')")
    await expect(page.locator(".chips a")).to_have_attribute("href", f"{LIST}?clock=late")
    await page.click(".chips button")
    await expect(page.locator(".chips")).to_have_count(0)
    assert desk.faults == []
    await desk.context.close()


async def test_counts_live_by_themselves(
    api: Api, product: Product, chromium: Browser, officers: Officers, people: People, tables: Tables
) -> None:
    desk = await at_desk(product, api, chromium, await officers.make("operator"))
    await desk.page.clock.install()
    await desk.open(LIST)
    mine = desk.page.locator("[data-count=mine]")
    await expect(mine).to_have_text("0")
    handed = await hand_in(await people.make())
    given = (
        "UPDATE cases SET assignee_id = (SELECT id FROM officers ORDER BY created_at DESC LIMIT 1) WHERE id::text = $1"
    )
    await tables.run(given, handed["id"])
    await desk.page.clock.fast_forward(20_000)
    await expect(mine).to_have_text("1", timeout=30_000)
    assert desk.faults == []
    await desk.context.close()
