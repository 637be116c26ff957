"""Logged out once is logged out everywhere; and only by whoever the session is."""

from collections.abc import AsyncIterator, Callable

import jwt
import pytest
from aiohttp import web

from app.login.provider.signed import LOGOUT_EVENT
from tests.app.login.journey import Journey
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running
from tests.harness.provider import Pkce, Registered, Visitor, question, redeemed, register, returned
from tests.harness.waiting import until


class Listening:
    """An application that is told of logouts, and refuses the first time."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        self.told.append(str((await request.post())["logout_token"]))
        return web.Response(status=503 if len(self.told) == 1 else 200)


@pytest.fixture(scope="module")
async def listening() -> AsyncIterator[Listening]:
    heard = Listening()
    app = web.Application()
    app.router.add_post("/told", heard.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}/told"
    yield heard
    await runner.cleanup()


async def logged_in(api: Api, client: Registered, visitor: Visitor, citizen: Citizen) -> dict[str, str]:
    pkce = Pkce()
    asked = question(client, pkce, scope="openid offline_access")
    return await redeemed(api, client, (await visitor.allowed(asked, citizen))["code"], pkce)


async def lives(api: Api, tokens: dict[str, str]) -> bool:
    async with api.client(token=tokens["access_token"]) as http:
        return (await http.get("/oauth/userinfo")).status_code == 200


async def test_an_application_that_knows_the_session_ends_it(
    api: Api, client: Registered, visitor: Visitor, people: People
) -> None:
    tokens = await logged_in(api, client, visitor, await people.make())
    answer = await visitor.http.get(
        "/oauth/end-session",
        params={
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": client.after_logout,
            "state": "s & t",
        },
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{client.after_logout}?state=s+%26+t"
    assert not await lives(api, tokens)
    assert returned(await visitor.ask(question(client, Pkce(), prompt="none")))["error"] == "login_required"


async def test_others_must_ask_the_citizen(api: Api, client: Registered, visitor: Visitor, people: People) -> None:
    """No image on a stranger's page logs anybody out."""
    tokens = await logged_in(api, client, visitor, await people.make())
    page = await visitor.http.get(
        "/oauth/end-session", params={"client_id": client.id, "post_logout_redirect_uri": client.after_logout}
    )
    assert "Keluar dari Satu Loket?" in page.text
    assert await lives(api, tokens)
    forged = await visitor.http.post("/oauth/end-session", data={"step": "logout", "mark": "1.x"})
    assert "Keluar dari Satu Loket?" in forged.text
    assert await lives(api, tokens)
    answer = await visitor.send(page)
    assert answer.headers["location"] == client.after_logout
    assert not await lives(api, tokens)


async def test_a_session_of_another_browser_is_not_ended(
    api: Api, journey: Journey, client: Registered, visitor: Visitor, people: People
) -> None:
    mine, theirs = await people.make(), await people.make()
    other = Visitor(api, journey)
    their_tokens = await logged_in(api, client, other, theirs)
    my_tokens = await logged_in(api, client, visitor, mine)
    page = await other.http.get("/oauth/end-session", params={"id_token_hint": my_tokens["id_token"]})
    assert "Keluar dari Satu Loket?" in page.text
    assert await lives(api, my_tokens)
    assert await lives(api, their_tokens)
    await other.close()


async def test_a_device_that_is_ended_ends_its_applications(
    api: Api, client: Registered, visitor: Visitor, people: People
) -> None:
    citizen = await people.make()
    tokens = await logged_in(api, client, visitor, citizen)
    devices = (await citizen.get("/v1/me/sessions")).json()["items"]
    [browser] = [each for each in devices if not each["current"]]
    assert browser["device_name"] == "Peramban web"
    assert (await citizen.client.delete(f"/v1/me/sessions/{browser['id']}")).status_code == 204
    assert not await lives(api, tokens)


async def test_applications_are_told_until_they_listen(
    api: Api, start_process: Callable[..., Running], listening: Listening, visitor: Visitor, people: People
) -> None:
    """However the session ended: here from the device list, without a browser."""
    told = await register(api, "told", backchannel_logout_uri=listening.url)
    citizen = await people.make()
    tokens = await logged_in(api, told, visitor, citizen)
    assert (await citizen.client.delete("/v1/me/sessions")).status_code == 204
    # Not sooner: it would send the login's code, and erase it, before this test has read it.
    start_process("work")
    await until(lambda: len(listening.told) >= 2, 60)
    async with api.client() as http:
        keys = jwt.PyJWKSet.from_dict((await http.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(listening.told[-1])
    assert header["typ"] == "logout+jwt"
    heard = jwt.decode(listening.told[-1], keys[header["kid"]], algorithms=["ES256"], audience=told.id, issuer=api.url)
    known = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (heard["sub"], heard["sid"]) == (known["sub"], known["sid"])
    assert heard["events"] == {LOGOUT_EVENT: {}}
    assert "nonce" not in heard
