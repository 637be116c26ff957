"""The provider's pages in a real browser: for everybody, on a phone and a desk, by day and night, without scripts."""

from collections.abc import AsyncIterator
from typing import Literal
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser

from tests.app.login import journey as journeys
from tests.app.login.journey import Journey
from tests.app.login.passkeys import holder
from tests.harness.browser import browser, virtual_authenticator
from tests.harness.everybody import barriers_in_looks
from tests.harness.people import PASSWORD, Citizen, People
from tests.harness.product import Api
from tests.harness.provider import Pkce, question, register
from tests.harness.walking import TEMPLATE, page_templates


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as opened:
        yield opened


@pytest.mark.parametrize("language", ["id", "en"])
async def test_every_page_is_for_everybody(
    api: Api,
    journey: Journey,
    people: People,
    chromium: Browser,
    language: Literal["id", "en"],
) -> None:
    ours = await register(api, f"pages-{language}", post_logout_uris=[])
    citizen = await people.make()
    opened = await chromium.new_context(locale=language)
    page = await opened.new_page()
    found: list[str] = []
    seen: set[str] = set()

    async def look(name: str) -> None:
        found.extend(f"{name}: {each}" for each in await barriers_in_looks(page, language))
        seen.add(await page.evaluate(TEMPLATE))
        assert await page.locator("html").get_attribute("lang") == language

    asked = question(ours, Pkce(), scope="openid profile nik offline_access")
    await page.goto(f"{api.url}/oauth/authorize?{urlencode(asked)}")
    await look("login")
    await page.fill("#nik", citizen.person.nik)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#code")
    await look("code")
    await page.fill("#code", "000000")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[role=alert]")
    await look("wrong code")
    await page.fill("#code", await journey.code(citizen.person.phone))
    await page.keyboard.press("Enter")
    await page.wait_for_selector("button[value=allow]")
    await look("consent")
    assert citizen.person.nik not in await page.content()
    await page.goto(f"{api.url}/oauth/end-session")
    await look("logout")
    await page.click("button")
    await page.wait_for_selector("h1")
    await look("goodbye")
    await page.goto(f"{api.url}/oauth/authorize?client_id=nobody")
    await look("fault")
    assert found == []
    assert seen == {each for each in page_templates() if each.startswith("provider/")}, "nobody saw the others"
    await opened.close()


@pytest.mark.timeout(60)
async def test_a_yes_leads_back_to_the_application(
    api: Api, journey: Journey, citizen: Citizen, chromium: Browser
) -> None:
    """With no script at all. Chromium holds form-action over redirects: it must name where the answer leads."""
    ours = await register(api, "pages-back", redirect_uris=["http://localhost:9/callback"])
    opened = await chromium.new_context(locale="id", java_script_enabled=False)
    page = await opened.new_page()
    reached: list[str] = []
    page.on("request", lambda request: reached.append(request.url))
    await page.goto(f"{api.url}/oauth/authorize?{urlencode(question(ours, Pkce()))}")
    await page.fill("#nik", citizen.person.nik)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#code")
    await page.fill("#code", await journey.code(citizen.person.phone))
    await page.keyboard.press("Enter")
    await page.wait_for_selector("button[value=allow]")
    async with page.expect_request(lambda request: request.url.startswith("http://localhost:9/callback?code=")):
        await page.click("button[value=allow]", no_wait_after=True)
    assert any("iss=" in address for address in reached)
    await opened.close()


@pytest.mark.timeout(60)
async def test_a_passkey_opens_it_without_a_code(api: Api, journey: Journey, chromium: Browser) -> None:
    ours = await register(api, "pages-passkey")
    opened = await chromium.new_context(locale="id")
    page = await opened.new_page()
    devtools, device = await virtual_authenticator(page)
    async with holder(journey) as citizen:
        credential = citizen.device.exported("localhost")
        await devtools.send("WebAuthn.addCredential", {"authenticatorId": device, "credential": credential})
        at_home = f"http://localhost:{api.settings.port}/oauth/authorize"
        await page.goto(f"{at_home}?{urlencode(question(ours, Pkce()))}")
        await page.fill("#nik", citizen.person.nik)
        await page.fill("#password", journeys.PASSWORD)
        await page.keyboard.press("Enter")
        await page.click("form[data-passkey] button")
        await page.wait_for_selector("button[value=allow]")
        sessions = (await citizen.client.get("/v1/me/sessions")).json()["items"]
        assert len(sessions) == 2
    await opened.close()


async def test_no_other_page_can_frame_them(api: Api, chromium: Browser) -> None:
    ours = await register(api, "pages-frame")
    opened = await chromium.new_context()
    page = await opened.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    address = f"{api.url}/oauth/authorize?{urlencode(question(ours, Pkce()))}".replace("&", "&amp;")
    async with page.expect_console_message(lambda message: "frame" in message.text.lower()):
        await page.set_content(f'<iframe src="{address}"></iframe>')
    assert any("frame-ancestors" in text or "X-Frame-Options" in text for text in refused)
    await opened.close()
