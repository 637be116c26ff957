"""docs/login.md: its page's script runs in a real browser with a passkey device, and its table holds every error."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jwt
import pytest
from playwright.async_api import CDPSession, Page

from app.demo import seed
from app.settings import ROOT
from tests.app.login.journey import Journey
from tests.harness.browser import browser
from tests.harness.product import Api

# Installing Chromium, once on a machine, takes its time.
pytestmark = pytest.mark.timeout(700)

GUIDE = (ROOT / "docs" / "login.md").read_text("utf-8")
BUDI = ("3571011708859002", "+6281290019002")
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
OURS = ("/v1/login/", "/v1/me/passkeys", "/v1/me/step-up", "/v1/me/password", "/v1/me/phone-change", "/v1/me/sessions")


class Visit:
    """A page of ours by name, as browsers bind passkeys to names, in a browser with a passkey device."""

    def __init__(self, page: Page, device: CDPSession, device_id: str) -> None:
        self.page = page
        self.device = device
        self.device_id = device_id

    async def passkeys(self) -> list[dict[str, Any]]:
        """What the device keeps."""
        kept = await self.device.send("WebAuthn.getCredentials", {"authenticatorId": self.device_id})
        return list(kept["credentials"])


@pytest.fixture
async def visit(api: Api, journey: Journey) -> AsyncIterator[Visit]:
    await seed(api.settings)
    async with browser() as opened:
        page = await opened.new_page()
        device = await page.context.new_cdp_session(page)
        await device.send("WebAuthn.enable")
        added = await device.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
        await page.expose_function("askForCode", lambda: journey.code(BUDI[1]))
        await page.goto(f"http://localhost:{api.settings.port}/docs")
        yield Visit(page, device, str(added["authenticatorId"]))


async def test_the_pages_script_works_in_a_browser(visit: Visit, journey: Journey) -> None:
    [script] = re.findall(r"```js\n(.*?)```", GUIDE, re.DOTALL)
    told = await visit.page.evaluate(f"async () => {{ {script} }}")
    assert [told[name]["assurance_level"] for name in ("first", "second", "raised")] == [2, 3, 3]
    claims = jwt.decode(told["raised"]["access_token"], options={"verify_signature": False})
    assert claims["acr"] == "3"
    assert (await journey.me(told["raised"]["access_token"])).status_code == 200
    [kept] = await visit.passkeys()
    assert kept["rpId"] == "localhost"
    assert BUDI[0] not in str(kept), "the device shows the NIK masked"
    async with journey.api.client(token=told["raised"]["access_token"]) as client:
        [passkey] = (await client.get("/v1/me/passkeys")).json()["items"]
        assert (passkey["name"], passkey["last_used_at"] is not None) == ("Peramban", True)
        assert (await client.delete(f"/v1/me/passkeys/{passkey['id']}")).status_code == 204


async def test_a_browser_whose_owner_does_not_show_themselves_is_refused(visit: Visit) -> None:
    """The device is there, its finger is not: no passkey is made, and none is used."""
    await visit.device.send("WebAuthn.setUserVerified", {"authenticatorId": visit.device_id, "isUserVerified": False})
    [script] = re.findall(r"```js\n(.*?)```", GUIDE, re.DOTALL)
    refused = await visit.page.evaluate(f"async () => {{ try {{ {script} }} catch (e) {{ return e.name; }} }}")
    assert refused == "NotAllowedError"
    assert await visit.passkeys() == []


async def test_the_table_holds_every_error(api: Api) -> None:
    async with api.client() as client:
        document = (await client.get("/openapi.json")).json()
    possible = set(_codes(document))
    assert len(possible) > 30
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| ([0-9, ]+) \|", GUIDE, re.MULTILINE)
    listed = {code: statuses for codes, statuses in rows for code in re.findall(r"`(\w+)`", codes)}
    missing = {code for code, _ in possible} - listed.keys()
    assert missing == set()
    assert [(code, status) for code, status in possible if status not in listed[code]] == []


def _codes(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each code with its status, of every operation of logging in and of what one logs in with."""
    for path, operations in document["paths"].items():
        if path == "/v1/me" or path.startswith(OURS):
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    told = answer.get("content", {}).get("application/problem+json", {})
                    yield from ((code, status) for code in told.get("examples", {}))
