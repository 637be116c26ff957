"""A citizen's phone in a login by national identity: its browser, and the app that waits."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.harness.people import Citizen
from tests.harness.product import Api
from tests.harness.provider import Pkce

REDIRECT = "satuloket://login"


class Phone:
    """`browser` keeps cookies; `pkce` is the app's own."""

    def __init__(self, api: Api, provider_url: str, browser: httpx.AsyncClient) -> None:
        self.api = api
        self.browser = browser
        self.provider_url = provider_url
        self.pkce = Pkce()

    async def start(self, **changed: str) -> httpx.Response:
        asked = {"redirect_uri": REDIRECT, "code_challenge": self.pkce.challenge, "state": "app-state", **changed}
        return await self.browser.get(f"{self.api.url}/v1/login/inapas/start", params=asked)

    async def logged_in_there(self, start: httpx.Response, nik: str) -> str:
        """The address the provider sends the browser back to."""
        assert start.status_code == 303, start.text
        page = await self.browser.get(start.headers["location"])
        assert page.status_code == 200, page.text
        answer = await self.browser.post(start.headers["location"], data={"nik": nik})
        return str(answer.headers["location"])

    async def code(self, nik: str) -> str:
        """Through all of it: the code that comes to the app."""
        back = await self.browser.get(await self.logged_in_there(await self.start(), nik))
        answer = to_app(back)
        assert answer["state"] == "app-state"
        return answer["code"]

    async def exchange(self, code: str, **more: Any) -> httpx.Response:
        body = {"code": code, "code_verifier": self.pkce.verifier, "device_name": "Redmi", **more}
        return await self.browser.post(f"{self.api.url}/v1/login/inapas/tokens", json=body)

    async def connect(self, citizen: Citizen, code: str) -> httpx.Response:
        return await citizen.post("/v1/me/national-identity", {"code": code, "code_verifier": self.pkce.verifier})


def to_app(answer: httpx.Response) -> dict[str, str]:
    """What the app is given."""
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
