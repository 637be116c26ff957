"""Debian's Chromium without a screen, for tests of pages; installed by apt where it is missing and may be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from tests.harness.debian import installed

# The network ones: Chromium looks up its maker's hosts at every start, and waits for each.
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser with an empty profile of its own."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        try:
            yield opened
        finally:
            await opened.close()


async def virtual_authenticator(page: Page) -> tuple[CDPSession, str]:
    """A device in the browser that holds passkeys and always finds its owner there; its DevTools session and id."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    made = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return devtools, made["authenticatorId"]


def chromium() -> str:
    """Where it is. Skips the test where it is not and cannot be installed: no apt, or nobody allowed to use it."""
    found = installed("chromium", "chromium")
    if not found:
        pytest.skip("needs Chromium: `apt install chromium`")
    return found
