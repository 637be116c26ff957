"""An officer's way through login: as a client of the API has it, and as the forms of a browser without scripts do."""

import asyncio
import base64
import hmac
import time
from typing import Any

import httpx

from app.assembly import Product
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from tests.harness.officers import PASSWORD, TOTP_SECRET, OfficerAtWork

STEP_S = 30


def code(steps: int = 0, secret: str = TOTP_SECRET) -> str:
    """The code that the authenticator shows now, or some steps from now."""
    counter = int(time.time()) // STEP_S + steps
    # RFC 4226, 5.3, by hand: the product's own library is what is tested, and others refuse the demo's short secret.
    mac = hmac.digest(base64.b32decode(secret), counter.to_bytes(8), "sha1")
    place = mac[-1] & 15
    return f"{(int.from_bytes(mac[place : place + 4]) & 0x7FFFFFFF) % 10**6:06}"


async def challenge(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/v1/officer/login", json={"name": name, "password": password})


async def answer(client: httpx.AsyncClient, challenge_id: str, given: str) -> httpx.Response:
    return await client.post(f"/v1/officer/login/{challenge_id}", json={"method": "totp", "code": given})


class Pages:
    """A browser without scripts: keeps cookies as one on this machine does, sends forms with their hidden fields."""

    def __init__(self, url: str) -> None:
        self._url = url
        # httpx would not send Secure cookies back over http, as browsers do to their own machine.
        self.cookies: dict[str, str] = {}
        self._client = httpx.AsyncClient(base_url=url, timeout=30)
        self.shown = ""

    async def get(self, path: str) -> httpx.Response:
        return self._seen(await self._client.get(path, headers=self._headers()))

    async def send(self, path: str, fields: dict[str, Any], **headers: str) -> httpx.Response:
        """Send the form of the page that is shown."""
        filled = {"mark": self.mark(), **fields}
        sent = {**self._headers(), "Origin": self._url, "Sec-Fetch-Site": "same-origin", **headers}
        return self._seen(await self._client.post(path, data=filled, headers=sent))

    def mark(self) -> str:
        return self.hidden("mark")

    def hidden(self, name: str) -> str:
        _, found, rest = self.shown.partition(f'name="{name}" value="')
        return rest.partition('"')[0] if found else ""

    async def send_at_once(self, path: str, fields: dict[str, Any], times: int) -> list[httpx.Response]:
        """The same form so many times at once, as impatient fingers and bad networks send it."""
        filled = {"mark": self.mark(), **fields}
        headers = {**self._headers(), "Origin": self._url, "Sec-Fetch-Site": "same-origin"}
        posts = [self._client.post(path, data=filled, headers=headers) for _ in range(times)]
        return list(await asyncio.gather(*posts))

    async def log_in(self, name: str, steps: int = 0) -> httpx.Response:
        """Through both steps; the answer is the last one's."""
        await self.get("/dashboard/login")
        await self.send("/dashboard/login", {"name": name, "password": PASSWORD})
        fields = {"challenge": self.hidden("challenge"), "code": code(steps)}
        return await self.send("/dashboard/login/code", fields)

    async def sit_down(self, product: Product, officer: OfficerAtWork) -> None:
        """A session of theirs, without the way there."""
        async with product.database.transaction() as session:
            opened = open_officer_session(session, product.vault, officer.id, "page", Place("test", ""))
        self.cookies[SESSION] = opened.cookie

    async def close(self) -> None:
        await self._client.aclose()

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _seen(self, response: httpx.Response) -> httpx.Response:
        for line in response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = rest.partition(";")[0].strip('"')
        if response.status_code != 303:
            self.shown = response.text
        self._client.cookies.clear()
        return response
