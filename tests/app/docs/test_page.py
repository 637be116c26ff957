"""The page to try the API with, in a real browser: whole, silent, and in touch with nobody but us."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import ConsoleMessage, Page, Request

from tests.harness.browser import browser
from tests.harness.people import Citizen
from tests.harness.product import Api

# Installing Chromium, once on a machine, takes its time.
pytestmark = pytest.mark.timeout(700)


class Watched:
    """A page, with all it asked for and all its console said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.said: list[str] = []
        page.on("request", self._on_request)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _on_request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.said.append(message.text)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    async with browser() as opened:
        yield Watched(await opened.new_page())


async def test_the_page_shows_the_whole_contract(api: Api, watched: Watched) -> None:
    await watched.page.goto(f"{api.url}/docs")
    await watched.page.wait_for_selector(".opblock")
    async with api.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert await watched.page.locator(".opblock").count() == sum(len(path) for path in paths.values())
    assert watched.said == []
    assert {url for url in watched.asked if not url.startswith((api.url, "data:"))} == set()


async def test_a_request_can_be_tried_with_a_token(api: Api, citizen: Citizen, watched: Watched) -> None:
    """Under the page's own policy: no inline script, no inline style, no other host."""
    page = watched.page
    answer = await page.goto(f"{api.url}/docs")
    assert answer
    assert "unsafe" not in answer.headers["content-security-policy"]
    await page.locator(".btn.authorize").first.click()
    await page.locator(".auth-container input").fill(citizen.token)
    await page.locator(".auth-container .authorize").click()
    await page.locator(".btn-done").click()
    operation = page.locator("#operations-me-get_me")
    await operation.locator(".opblock-summary-control").click()
    await operation.locator(".try-out__btn").click()
    async with page.expect_response(f"{api.url}/v1/me") as answered:
        await operation.locator(".execute").click()
    assert (await answered.value).status == 200
    shown = operation.locator(".live-responses-table tbody .response-col_description").first
    await shown.wait_for()
    assert "assurance_level" in await shown.inner_text()
    assert watched.said == []
    assert {url for url in watched.asked if not url.startswith((api.url, "data:"))} == set()


async def test_a_problem_leads_to_its_words(api: Api, watched: Watched) -> None:
    async with api.client() as client:
        problem = (await client.get("/v1/services/nothing-of-ours")).json()
    await watched.page.goto(f"{api.url}{problem['type']}")
    target = watched.page.locator("section:target")
    assert await target.get_attribute("id") == problem["code"]
    shown = await target.inner_text()
    assert problem["detail"] in shown
    assert problem["title"] in shown
    assert watched.said == []
