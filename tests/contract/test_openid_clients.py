"""OpenID libraries of another language, unmodified: openid-client logs in with us, and we with oidc-provider.

Their npm packages are fetched, so this is not part of `make test` but of `make test-clients`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from app.assembly import build
from tests.app.login.journey import Journey
from tests.harness.national import REDIRECT, Phone, to_app
from tests.harness.npm import installed
from tests.harness.people import Citizen
from tests.harness.product import Api, free_port
from tests.harness.provider import Visitor, forms, register

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place() -> Path:
    return installed("openid")


@pytest.fixture(scope="module")
def national_url() -> Iterator[str]:
    """INApas is where the test starts a provider; the API reads that from its own process, which is this one."""
    with pytest.MonkeyPatch.context() as patched:
        url = f"http://127.0.0.1:{free_port()}"
        patched.setenv("LOKET_INAPAS_URL", url)
        yield url


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], national_url: str) -> dict[str, str]:
    """Before the API starts."""
    assert national_url
    return environment


@pytest.fixture(scope="module")
async def journey(api: Api) -> AsyncIterator[Journey]:
    product = build(api.settings, "test")
    yield Journey(api, product.database, product.vault)
    await product.close()


class Script:
    """A program of Node.js that speaks in lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> dict[str, Any]:
        """Its next line. Raises AssertionError with what it complains of where none comes."""
        assert self._process.stdout
        assert self._process.stderr
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        assert line, (await self._process.stderr.read()).decode()
        return dict(json.loads(line))

    async def tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()


@asynccontextmanager
async def script(place: Path, *arguments: str) -> AsyncIterator[Script]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("node", *arguments, cwd=place, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield Script(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_openid_client_logs_in_refreshes_reads_and_logs_out(
    place: Path, api: Api, journey: Journey, citizen: Citizen
) -> None:
    ours = await register(api, "portal")
    visitor = Visitor(api, journey)
    arguments = (api.url, ours.id, ours.secret, ours.callback, ours.after_logout)
    async with script(place, "client.js", *arguments) as library:
        page = await visitor.log_in(await visitor.http.get((await library.hear())["go"]), citizen)
        await library.tell((await visitor.send(page, "allow")).headers["location"])
        await library.tell((await visitor.http.get((await library.hear())["go"])).headers["location"])
        told = await library.hear()
    await visitor.close()
    assert told == {
        "name": citizen.person.name,
        "same": True,
        "rotated": True,
        "active": [True, False],
        "back": True,
        "refused": "invalid_grant",
    }


async def test_we_log_in_with_oidc_provider(place: Path, api: Api, national_url: str) -> None:
    """Its pages are its own, made for developers: whoever types anything is the one citizen it knows."""
    born = ("3571025203889005", "Wulan Sari", "1988-03-12")
    async with api.client() as http:
        keys = (await http.get("/v1/login/inapas/keys")).json()
    callback = f"{api.url}/v1/login/inapas/callback"
    arguments = (national_url.rpartition(":")[2], *born, callback, json.dumps(keys))
    async with script(place, "provider.js", *arguments) as provider, httpx.AsyncClient(timeout=30) as browser:
        await provider.hear()
        phone = Phone(api, national_url, browser)
        page = await followed(browser, await phone.start())
        while page.status_code == 200:
            [form] = forms(page)
            typed = {"login": "wulan", "password": "anything"} if "login" in form.fields else {}
            sent = await browser.post(urljoin(str(page.url), form.action), data={**form.fields, **typed})
            page = await followed(browser, sent)
        answer = await phone.exchange(to_app(page)["code"])
        assert answer.status_code == 201, answer.text
    async with api.client(token=answer.json()["access_token"]) as http:
        known = (await http.get("/v1/me")).json()
    assert (known["name"], known["birth_date"], known["nik"][:6]) == (born[1], born[2], born[0][:6])


async def followed(browser: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """As a browser does, up to a page or the app."""
    while answer.is_redirect and not answer.headers["location"].startswith(REDIRECT):
        answer = await browser.get(urljoin(str(answer.request.url), answer.headers["location"]))
    return answer
