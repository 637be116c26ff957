"""The known attacks on an authorization server, as data: none gets a code, a token or a redirect that it should not."""

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest

from tests.app.login.journey import Journey
from tests.app.login.provider.attacks import (
    OPEN_REDIRECTS,
    REDIRECTS,
    REPEATED,
    REQUESTS,
    WRONG_PROOFS,
    WRONG_VERIFIERS,
)
from tests.harness.people import Citizen
from tests.harness.product import Api
from tests.harness.provider import (
    Pkce,
    Registered,
    Visitor,
    exchange,
    forms,
    question,
    redeemed,
    register,
    returned,
)


@pytest.fixture(scope="module")
async def thief(api: Api) -> Registered:
    return await register(api, "thief")


@pytest.fixture(scope="module")
async def known(api: Api, journey: Journey, client: Registered, citizen: Citizen) -> AsyncIterator[Visitor]:
    """A browser whose citizen is logged in and has agreed: a request that is let through gets a code at once."""
    visitor = Visitor(api, journey)
    assert "code" in await visitor.allowed(question(client, Pkce()), citizen)
    yield visitor
    await visitor.close()


@pytest.mark.parametrize("address", REDIRECTS.values(), ids=REDIRECTS)
async def test_nothing_goes_to_an_address_that_is_not_registered(
    known: Visitor, client: Registered, thief: Registered, address: str
) -> None:
    answer = await known.ask(question(client, Pkce(), redirect_uri=address or None))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "evil" not in answer.text


@pytest.mark.parametrize(("changed", "error"), REQUESTS.values(), ids=REQUESTS)
async def test_a_request_that_asks_for_less_safety_is_refused(
    known: Visitor, client: Registered, changed: dict[str, str | None], error: str
) -> None:
    answer = await known.ask(question(client, Pkce(), **changed))
    back = returned(answer)
    assert back["error"] == error
    assert "code" not in back
    assert answer.headers["location"].startswith(client.callback + "?")
    assert "\r" not in answer.headers["location"]


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
async def test_a_parameter_comes_once(known: Visitor, client: Registered, name: str, first: bool) -> None:
    asked = list(question(client, Pkce(), prompt="consent").items())
    evil = (name, "https://evil.example/callback")
    answer = await known.ask([evil, *asked] if first else [*asked, evil])
    assert answer.headers.get("location", client.callback).startswith(client.callback)
    assert "code=" not in answer.headers.get("location", "")
    assert answer.status_code == (400 if name in ("client_id", "redirect_uri") else 303)


@pytest.mark.parametrize("name", ["", "nobody", "PORTAL", "portal ", "portal\x00", "' or 1=1 --", "x" * 5_000])
async def test_an_unknown_application_is_shown_the_door(known: Visitor, client: Registered, name: str) -> None:
    answer = await known.ask(question(client, Pkce(), client_id=name))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_scope_that_is_not_the_applications_is_refused(api: Api, known: Visitor) -> None:
    modest = await register(api, "modest", scopes=("openid", "profile"), legal_basis="")
    assert returned(await known.ask(question(modest, Pkce(), scope="openid nik")))["error"] == "invalid_scope"


@pytest.mark.parametrize("wrong", WRONG_VERIFIERS.values(), ids=WRONG_VERIFIERS)
async def test_a_code_needs_its_verifier(api: Api, known: Visitor, client: Registered, wrong: str) -> None:
    pkce = Pkce()
    back = returned(await known.ask(question(client, pkce)))
    filled = wrong.format(verifier=pkce.verifier, upper=pkce.verifier.upper()) or pkce.challenge
    form = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": client.callback}
    refused = await exchange(api, client, **form, code_verifier=filled)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    late = await exchange(api, client, **form, code_verifier=pkce.verifier)
    assert late.json()["error"] == "invalid_grant", "the first try spends the code"


async def test_a_code_without_verifier_is_refused(api: Api, known: Visitor, client: Registered) -> None:
    back = returned(await known.ask(question(client, Pkce())))
    form = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": client.callback}
    assert (await exchange(api, client, **form)).json()["error"] == "invalid_request"


async def test_a_code_goes_to_its_own_address(api: Api, known: Visitor, client: Registered) -> None:
    pkce = Pkce()
    back = returned(await known.ask(question(client, pkce)))
    form = {"grant_type": "authorization_code", "code": back["code"], "code_verifier": pkce.verifier}
    refused = await exchange(api, client, **form, redirect_uri=client.callback + "/")
    assert refused.json()["error"] == "invalid_grant"


async def test_a_code_of_another_application_is_refused_and_spent(
    api: Api, known: Visitor, client: Registered, thief: Registered
) -> None:
    pkce = Pkce()
    back = returned(await known.ask(question(client, pkce)))
    form = {"grant_type": "authorization_code", "code": back["code"], "code_verifier": pkce.verifier}
    for redirect_uri in (client.callback, thief.callback):
        refused = await exchange(api, thief, **form, redirect_uri=redirect_uri)
        assert refused.json()["error"] == "invalid_grant"
    late = await exchange(api, client, **form, redirect_uri=client.callback)
    assert late.json()["error"] == "invalid_grant"


async def test_a_code_that_comes_again_ends_what_it_gave(api: Api, known: Visitor, client: Registered) -> None:
    pkce = Pkce()
    back = await known.allowed(question(client, pkce, scope="openid offline_access", prompt="consent"), NOBODY)
    tokens = await redeemed(api, client, back["code"], pkce)
    again = await exchange(
        api,
        client,
        grant_type="authorization_code",
        code=back["code"],
        redirect_uri=client.callback,
        code_verifier=pkce.verifier,
    )
    assert again.json()["error"] == "invalid_grant"
    assert (await userinfo(api, tokens["access_token"])).status_code == 401
    late = await exchange(api, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert late.json()["error"] == "invalid_grant"


async def test_of_many_at_once_one_gets_the_tokens(api: Api, known: Visitor, client: Registered) -> None:
    pkce = Pkce()
    back = returned(await known.ask(question(client, pkce)))
    form = {"grant_type": "authorization_code", "code": back["code"], "code_verifier": pkce.verifier}
    answers = await asyncio.gather(
        *(exchange(api, client, **form, redirect_uri=client.callback) for _ in range(20)), return_exceptions=False
    )
    assert [answer.status_code for answer in answers].count(200) == 1


async def test_a_refresh_token_that_was_stolen_ends_with_its_family(
    api: Api, known: Visitor, client: Registered, thief: Registered
) -> None:
    async def fresh() -> dict[str, str]:
        pkce = Pkce()
        asked = question(client, pkce, scope="openid offline_access", prompt="consent")
        return await redeemed(api, client, (await known.allowed(asked, NOBODY))["code"], pkce)

    async def refresh(by: Registered, token: str) -> httpx.Response:
        return await exchange(api, by, grant_type="refresh_token", refresh_token=token)

    first = (await fresh())["refresh_token"]
    second = (await refresh(client, first)).json()["refresh_token"]
    assert (await refresh(client, first)).json()["refresh_token"] == second, "the answer was lost: once more"
    assert (await refresh(client, first)).json()["error"] == "invalid_grant", "and no more"
    assert (await refresh(client, second)).json()["error"] == "invalid_grant", "the family has ended"
    mine = (await fresh())["refresh_token"]
    assert (await refresh(thief, mine)).json()["error"] == "invalid_grant"
    assert (await refresh(client, mine)).json()["error"] == "invalid_grant", "whose token another has is no secret"
    wider = await exchange(
        api, client, grant_type="refresh_token", refresh_token=(await fresh())["refresh_token"], scope="openid nik"
    )
    assert wider.json()["error"] == "invalid_scope"


async def test_a_token_of_one_kind_is_none_of_another(
    api: Api, known: Visitor, client: Registered, citizen: Citizen
) -> None:
    pkce = Pkce()
    asked = question(client, pkce, scope="openid offline_access", prompt="consent")
    tokens = await redeemed(api, client, (await known.allowed(asked, NOBODY))["code"], pkce)
    for wrong in (tokens["id_token"], tokens["refresh_token"], citizen.token):
        assert (await userinfo(api, wrong)).status_code == 401
    for wrong in (tokens["id_token"], tokens["refresh_token"], tokens["access_token"]):
        async with api.client(token=wrong) as http:
            assert (await http.get("/v1/me")).status_code == 401
    refused = await exchange(api, client, grant_type="refresh_token", refresh_token=tokens["access_token"])
    assert refused.json()["error"] == "invalid_grant"


async def test_other_applications_learn_nothing_of_a_token(
    api: Api, known: Visitor, client: Registered, thief: Registered
) -> None:
    pkce = Pkce()
    tokens = await redeemed(api, client, returned(await known.ask(question(client, pkce)))["code"], pkce)
    form = {"token": tokens["access_token"]}
    async with api.client() as http:
        mine = await http.post("/oauth/introspect", data=form, auth=(client.id, client.secret))
        theirs = await http.post("/oauth/introspect", data=form, auth=(thief.id, thief.secret))
        nobodys = await http.post("/oauth/introspect", data=form)
        assert (await http.post("/oauth/revoke", data=form, auth=(thief.id, thief.secret))).status_code == 200
        assert (await userinfo(api, tokens["access_token"])).status_code == 200, "another's revocation does nothing"
        assert (await http.post("/oauth/revoke", data=form, auth=(client.id, client.secret))).status_code == 200
        gone = await http.post("/oauth/introspect", data=form, auth=(client.id, client.secret))
    assert mine.json()["active"]
    assert theirs.json() == {"active": False}
    assert nobodys.status_code == 401
    assert gone.json() == {"active": False}


async def test_forms_from_elsewhere_do_nothing(api: Api, journey: Journey, client: Registered, known: Visitor) -> None:
    """CSRF on the consent page: without its mark, with another browser's, another request's, or from another site."""
    asked = question(client, Pkce(), prompt="consent")
    [mine] = forms(await known.ask(asked))
    [other_request] = forms(await known.ask({**asked, "scope": "openid"}))
    stranger = Visitor(api, journey)
    [other_browser] = forms(await stranger.ask(asked))
    bad = {
        "none": {**mine.fields, "mark": ""},
        "another request's": {**mine.fields, "mark": other_request.fields["mark"]},
        "another browser's": {**mine.fields, "mark": other_browser.fields["mark"]},
        "of the login page": {**other_browser.fields, "step": "consent"},
        "too old": {**mine.fields, "mark": re.sub(r"^\d+", "1700000000", mine.fields["mark"])},
    }
    for name, fields in bad.items():
        answer = await known.http.post(mine.action, data={**fields, "decision": "allow"})
        assert answer.status_code == 403, name
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await known.http.post(mine.action, data={**mine.fields, "decision": "allow"}, headers=headers)
        assert answer.status_code == 403, headers
    without_cookie = await httpx.AsyncClient(base_url=api.url).post(
        mine.action, data={**mine.fields, "decision": "allow"}
    )
    assert without_cookie.status_code == 403
    assert "code" in returned(await known.http.post(mine.action, data={**mine.fields, "decision": "allow"}))
    await stranger.close()


async def test_a_planted_cookie_is_not_the_one_that_is_logged_in(
    api: Api, journey: Journey, client: Registered, citizen: Citizen
) -> None:
    victim, attacker = Visitor(api, journey), Visitor(api, journey)
    await attacker.ask(question(client, Pkce()))
    planted = attacker.http.cookies["loket"]
    victim.http.cookies.set("loket", planted, domain="127.0.0.1")
    await victim.allowed(question(client, Pkce()), citizen)
    assert victim.http.cookies["loket"] != planted
    assert 'value="login"' in (await attacker.ask(question(client, Pkce()))).text
    await victim.close()
    await attacker.close()


async def test_pages_stand_in_no_frame_and_run_no_script(known: Visitor, client: Registered) -> None:
    page = await known.ask(question(client, Pkce(), prompt="consent"))
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text


async def test_what_a_client_sends_is_shown_as_text(known: Visitor, client: Registered) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    page = await known.ask(question(client, Pkce(), state=evil, nonce=evil, prompt="consent"))
    assert "<img" not in page.text


@pytest.mark.parametrize("address", OPEN_REDIRECTS.values(), ids=OPEN_REDIRECTS)
async def test_logging_out_leads_nowhere_unregistered(visitor: Visitor, client: Registered, address: str) -> None:
    asked = {"client_id": client.id, "post_logout_redirect_uri": address.replace("/callback", "/bye", 1)}
    if asked["post_logout_redirect_uri"] == client.after_logout:
        asked["post_logout_redirect_uri"] = address
    for sent in (asked, {**asked, "client_id": ""}):
        answer = await visitor.http.get(f"/oauth/end-session?{urlencode(sent)}")
        assert answer.status_code == 400
        assert "location" not in answer.headers


@pytest.mark.parametrize("headers", WRONG_PROOFS.values(), ids=WRONG_PROOFS)
async def test_an_application_that_proves_nothing_gets_nothing(
    api: Api, known: Visitor, client: Registered, headers: dict[str, str]
) -> None:
    pkce = Pkce()
    back = returned(await known.ask(question(client, pkce)))
    form = {
        "grant_type": "authorization_code",
        "client_id": client.id,
        "code": back["code"],
        "redirect_uri": client.callback,
        "code_verifier": pkce.verifier,
    }
    async with api.client() as http:
        for extra in ({}, {"client_secret": client.secret}):
            answer = await http.post("/oauth/token", data={**form, **extra}, headers=headers)
            assert answer.json()["error"] == ("invalid_request" if extra else "invalid_client")
            assert "access_token" not in answer.json()
        in_query = await http.post(f"/oauth/token?{urlencode(form)}", auth=(client.id, client.secret))
    assert in_query.json()["error"] == "invalid_request"
    assert (await redeemed(api, client, back["code"], pkce))["access_token"], "no proof, no try spent"


async def userinfo(api: Api, token: str) -> httpx.Response:
    async with api.client(token=token) as http:
        return await http.get("/oauth/userinfo")


# For a browser whose citizen is logged in already.
NOBODY: Citizen = None  # type: ignore[assignment] # never asked to log in
