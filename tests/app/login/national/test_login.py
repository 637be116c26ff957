"""Logging in by national identity: out by the browser, back to the app, and never as anybody else."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from tests.app.login.journey import assert_problem
from tests.harness.national import Phone, to_app
from tests.harness.people import People
from tests.harness.product import Api, Sandboxes

SITI, WULAN = "3571024505909001", "3571025203889005"
OTHERS = ("3571011708859002", "3571036011009003", "3571010101759004")


async def me(api: Api, tokens: Mapping[str, str]) -> dict[str, object]:
    async with api.client(token=tokens["access_token"]) as http:
        answer = await http.get("/v1/me")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_providers_are_told(api: Api) -> None:
    async with api.client() as http:
        [told] = (await http.get("/v1/login/providers")).json()["items"]
        keys = (await http.get("/v1/login/inapas/keys")).json()["keys"]
        unknown = await http.get("/v1/login/facebook/keys")
    assert told == {"id": "inapas", "title": "INApas", "start_url": f"{api.url}/v1/login/inapas/start"}
    assert [(key["crv"], key["alg"], "d" in key) for key in keys] == [("P-521", "ES512", False)]
    assert_problem(unknown, 404, "not_found")


async def test_who_is_new_gets_an_account_that_is_proven(api: Api, phone: Phone) -> None:
    answer = await phone.exchange(await phone.code(WULAN))
    assert answer.status_code == 201, answer.text
    assert answer.json()["assurance_level"] == 3
    known = await me(api, answer.json())
    assert (known["name"], known["birth_date"], known["phone"]) == ("Wulan Sari", "1988-03-12", None)
    again = await phone.exchange(await phone.code(WULAN))
    assert (await me(api, again.json()))["id"] == known["id"]


async def test_who_is_known_by_the_proven_nik_comes_to_their_own(api: Api, phone: Phone, people: People) -> None:
    siti = await people.make(nik=SITI, name="Siti Aminah", assurance_level=2)
    answer = await phone.exchange(await phone.code(SITI))
    assert (await me(api, answer.json()))["id"] == str(siti.id)


async def test_an_app_that_is_not_registered_is_not_sent_to(phone: Phone) -> None:
    for address in ("satuloket://login/", "satuloket://evil", "https://evil.example", "satuloket://login?x=1", ""):
        assert_problem(await phone.start(redirect_uri=address), 400, "login_redirect_unknown")


@pytest.mark.parametrize("challenge", ["", "short", "!" * 43, "x" * 44])
async def test_an_app_without_a_challenge_is_refused(phone: Phone, challenge: str) -> None:
    assert (await phone.start(code_challenge=challenge)).status_code == 400


async def test_only_the_browser_that_began_can_end(api: Api, phone: Phone) -> None:
    """Nobody is logged in as an attacker who sends them the end of a login (CSRF), nor the other way round."""
    start = await phone.start()
    assert start.headers["set-cookie"].lower().count("httponly") == 1
    assert "samesite=lax" in start.headers["set-cookie"].lower()
    back = await phone.logged_in_there(start, SITI)
    async with httpx.AsyncClient() as stranger:
        assert_problem(await stranger.get(back), 400, "national_login_unknown")
        other = Phone(api, phone.provider_url, stranger)
        await other.start()
        assert_problem(await stranger.get(back), 400, "national_login_unknown")
    assert "code" in to_app(await phone.browser.get(back))
    assert_problem(await phone.browser.get(back), 400, "national_login_unknown")


@pytest.mark.parametrize(
    "changed",
    [{"state": "another"}, {"state": ""}, {"state": "x" * 200}],
    ids=["another state", "no state", "a long state"],
)
async def test_another_state_is_nobodys(phone: Phone, changed: dict[str, str]) -> None:
    back = await phone.logged_in_there(await phone.start(), SITI)
    assert_problem(await phone.browser.get(changed_query(back, **changed)), 400, "national_login_unknown")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"iss": "https://evil.example"}, "identity_refused"),
        ({"iss": ""}, "identity_refused"),
        ({"code": "another"}, "identity_refused"),
        ({"code": "", "error": "access_denied"}, "access_denied"),
        ({"code": "", "error": "server_error"}, "identity_refused"),
    ],
    ids=["mix-up", "no issuer", "another code", "the citizen went back", "the provider failed"],
)
async def test_what_is_not_proven_comes_to_the_app_as_an_error(
    phone: Phone, changed: dict[str, str], error: str
) -> None:
    back = await phone.logged_in_there(await phone.start(), SITI)
    answer = await phone.browser.get(changed_query(back, **changed))
    assert to_app(answer) == {"error": error, "state": "app-state"}


async def test_a_state_of_one_login_brings_no_code_of_another(phone: Phone) -> None:
    """Two logins of one browser, their codes exchanged: nonce and verifier are each login's own."""
    first, second = await phone.start(), await phone.start()
    mine = await phone.logged_in_there(first, SITI)
    theirs = await phone.logged_in_there(second, OTHERS[0])
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    # Only the browser's newest login counts; so the older code comes under the newer state.
    answer = await phone.browser.get(changed_query(theirs, code=parse_qs(urlsplit(mine).query)["code"][0]))
    assert to_app(answer)["error"] == "identity_refused"
    assert code


async def test_a_code_is_good_once_and_for_its_own_app(phone: Phone) -> None:
    code = await phone.code(SITI)
    stolen = await phone.exchange(code, code_verifier="x" * 64)
    assert_problem(stolen, 422, "exchange_code_invalid")
    assert_problem(await phone.exchange(code), 422, "exchange_code_invalid")
    code = await phone.code(SITI)
    assert (await phone.exchange(code, claim=True)).status_code == 201
    assert_problem(await phone.exchange(code), 422, "exchange_code_invalid")
    assert_problem(await phone.exchange("nobodys-code"), 422, "exchange_code_invalid")


async def test_a_provider_that_is_down_is_told_before_one_leaves(phone: Phone, sandboxes: Sandboxes) -> None:
    async with sandboxes.bench("inapas") as bench:
        await bench.fault("error_500", ["discovery"])
        assert_problem(await phone.start(), 503, "agency_unavailable")
        await bench.heal()
        back = await phone.logged_in_there(await phone.start(), SITI)
        await bench.fault("error_500", ["token"])
        answer = await phone.browser.get(back)
        await bench.heal()
    assert to_app(answer)["error"] == "temporarily_unavailable"


def changed_query(address: str, **changed: str) -> str:
    parts = urlsplit(address)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()} | changed
    return urlunsplit(parts._replace(query=urlencode({name: value for name, value in given.items() if value})))
