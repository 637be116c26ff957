"""F46 in Chromium: officers' cookies as a browser keeps them, other sites' forms and frames."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page

from tests.harness.browser import browser
from tests.harness.officer_login import code
from tests.harness.officers import PASSWORD, OfficerAtWork, Officers
from tests.harness.product import Api, free_port
from tests.harness.tables import Tables


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


@pytest.fixture
async def elsewhere(api: Api) -> AsyncIterator[str]:
    """Another site's page: `localhost` is none of 127.0.0.1's. It sends our form by itself, and frames our page."""
    form = f'<form method="post" action="{api.url}/dashboard/logout"><input name="mark" value="x"></form>'
    pages = {
        "/form": f"<!doctype html>{form}<script>document.forms[0].submit()</script>",
        "/frame": f'<!doctype html><iframe src="{api.url}/dashboard/login"></iframe>',
    }

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=pages[request.path], content_type="text/html")

    application = web.Application()
    for path in pages:
        application.router.add_get(path, answer)
    runner, port = web.AppRunner(application), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://localhost:{port}"
    await runner.cleanup()


async def log_in(page: Page, api: Api, officer: OfficerAtWork) -> None:
    await page.goto(f"{api.url}/dashboard")
    await page.fill("#name", officer.name)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#code")
    await page.fill("#code", code())
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".sessions")


async def officers_cookies(context: BrowserContext) -> list[dict[str, object]]:
    return [dict(each) for each in await context.cookies() if str(each["name"]).startswith("__Host-officer")]


async def test_a_browser_on_this_machine_keeps_the_cookie_over_plain_http(
    api: Api, officers: Officers, chromium: Browser
) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await log_in(page, api, await officers.make("city_admin"))
    [kept] = await officers_cookies(context)
    assert (kept["name"], kept["secure"], kept["httpOnly"], kept["sameSite"]) == (
        "__Host-officer",
        True,
        True,
        "Strict",
    )
    assert kept["expires"] == -1, "it ends with the browser"
    await page.click("text=Keluar")
    await page.wait_for_selector("[role=status]")
    assert "__Host-officer" not in {each["name"] for each in await officers_cookies(context)}
    await page.goto(f"{api.url}/dashboard")
    assert page.url == f"{api.url}/dashboard/login"
    await context.close()


async def test_another_site_neither_sends_nor_frames(
    api: Api, officers: Officers, chromium: Browser, elsewhere: str
) -> None:
    officer = await officers.make()
    context = await chromium.new_context()
    page = await context.new_page()
    await log_in(page, api, officer)
    other = await context.new_page()
    async with other.expect_response(lambda answer: answer.url.startswith(api.url)):
        await other.goto(f"{elsewhere}/form")
    refused: list[str] = []
    framing = await context.new_page()
    framing.on("console", lambda message: refused.append(message.text))
    await framing.goto(f"{elsewhere}/frame")
    async with asyncio.timeout(30):
        while not refused:  # noqa: ASYNC110 -- the browser says so in its own time
            await asyncio.sleep(0.05)
    assert "frame" in refused[0].lower()
    await page.reload()
    assert await page.locator(".sessions").count() == 1, "still logged in"
    async with Tables(api.settings.database_url) as tables:
        ended = "SELECT count(*) FROM officer_sessions WHERE officer_id = $1 AND revoked_at IS NOT NULL"
        assert await tables.value(ended, officer.id) == 0
    await context.close()
