"""F46: planted sessions, forms of other sites, other origins, frames, cookies, hosts and requests read in two ways."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.origins import Origins
from app.shedding import Shedding
from tests.harness.officer_login import Pages, code
from tests.harness.officers import PASSWORD, Officers
from tests.harness.product import Api
from tests.harness.tables import Tables

ALLOWED = "https://portal.example.go.id"
OTHERS = ["https://evil.example", "null", "https://portal.example.go.id.evil.example", "http://portal.example.go.id"]
# What a browser says of a form that another page sent, or that no browser sends; and a mark that is not this session's.
FOREIGN: Mapping[str, dict[str, str]] = {
    "another origin": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "another scheme": {"Origin": "https://127.0.0.1"},
    "no origin to tell": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a neighbour": {"Sec-Fetch-Site": "same-site"},
    "typed in": {"Sec-Fetch-Site": "none"},
    "as text": {"Content-Type": "text/plain"},
    "as JSON": {"Content-Type": "application/json"},
}
MARKS = ["", "0" * 64, "a", "\u00e9" * 32]
BEHIND = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
# Headers and body, after `POST /dashboard/logout` with its Host.
TWO_READINGS = [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 4\r\nContent-Length: 40\r\n\r\nabcd",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Content-Length: +4\r\n\r\nabcd",
    b"Content-Length: -1\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5x\r\nabcde\r\n0\r\n\r\n",
    b"X-A: a\x00b\r\n\r\n",
    b"X A: b\r\n\r\n",
]


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_CORS_ORIGINS"] = ALLOWED
    return environment


@pytest.fixture
async def pages(api: Api) -> AsyncIterator[Pages]:
    opened = Pages(api.url)
    yield opened
    await opened.close()


@pytest.fixture
async def logged_in(officers: Officers, pages: Pages) -> Pages:
    await pages.log_in((await officers.make()).name)
    await pages.get("/dashboard")
    return pages


async def test_a_planted_session_is_not_taken_over(officers: Officers, pages: Pages) -> None:
    planted = {"__Host-officer": "planted-by-somebody", "__Host-officer-visit": "planted-as-well"}
    pages.cookies = dict(planted)
    assert (await pages.log_in((await officers.make()).name)).status_code == 303
    kept = dict(pages.cookies)
    assert kept["__Host-officer"] != planted["__Host-officer"]
    assert "__Host-officer-visit" not in kept
    pages.cookies = dict(planted)
    assert (await pages.get("/dashboard")).status_code == 303
    pages.cookies = kept
    assert (await pages.get("/dashboard")).status_code == 200


async def test_a_login_ends_what_the_browser_held_before(officers: Officers, logged_in: Pages) -> None:
    before = dict(logged_in.cookies)
    # A browser that is logged in and opens the login page once more, for somebody else.
    assert (await logged_in.log_in((await officers.make()).name)).status_code == 303
    after = dict(logged_in.cookies)
    logged_in.cookies = before
    assert (await logged_in.get("/dashboard")).headers["location"] == "/dashboard/login?ended=1"
    logged_in.cookies = after
    assert (await logged_in.get("/dashboard")).status_code == 200


@pytest.mark.parametrize("how", FOREIGN)
async def test_a_form_of_another_site_changes_nothing(api: Api, logged_in: Pages, how: str) -> None:
    async with Tables(api.settings.database_url) as tables:
        before = await tables.digest()
        for path, fields in (("/dashboard/logout", {}), ("/dashboard/language", {"language": "en"})):
            assert (await logged_in.send(path, fields, **FOREIGN[how])).status_code == 403
        assert await tables.changed_since(before) == []


@pytest.mark.parametrize("mark", MARKS)
async def test_a_form_without_its_mark_changes_nothing(logged_in: Pages, mark: str) -> None:
    assert (await logged_in.send("/dashboard/logout", {"mark": mark})).status_code == 403
    assert (await logged_in.get("/dashboard")).status_code == 200


async def test_another_browsers_mark_is_none(api: Api, officers: Officers, logged_in: Pages) -> None:
    other = Pages(api.url)
    await other.log_in((await officers.make()).name)
    await other.get("/dashboard")
    assert (await logged_in.send("/dashboard/logout", {"mark": other.mark()})).status_code == 403
    await other.get("/dashboard/login")
    assert (await logged_in.send("/dashboard/logout", {"mark": other.mark()})).status_code == 403
    await other.close()


async def test_nobody_is_logged_in_by_another_site(officers: Officers, pages: Pages) -> None:
    """As the attacker, so that what the victim then does is the attacker's to see."""
    officer = await officers.make()
    await pages.get("/dashboard/login")
    form = {"name": officer.name, "password": PASSWORD}
    assert (await pages.send("/dashboard/login", form, Origin="https://evil.example")).status_code == 403
    await pages.send("/dashboard/login", form)
    given = {"challenge": pages.hidden("challenge"), "code": code()}
    pages.cookies.clear()
    assert (await pages.send("/dashboard/login/code", given)).status_code == 403
    assert pages.cookies == {}


async def test_a_link_changes_nothing(api: Api, logged_in: Pages) -> None:
    async with api.client() as client:
        for path in ("/dashboard/logout", "/dashboard/language?language=en"):
            answer = await client.get(path, headers={"Cookie": f"__Host-officer={logged_in.cookies['__Host-officer']}"})
            assert answer.status_code == 405
    assert (await logged_in.get("/dashboard")).status_code == 200


async def test_cookies_are_for_this_host_over_tls_and_for_no_script(officers: Officers, pages: Pages) -> None:
    visited = await pages.get("/dashboard/login")
    entered = await pages.log_in((await officers.make()).name)
    lines = [*visited.headers.get_list("set-cookie"), *entered.headers.get_list("set-cookie")]
    assert {line.partition("=")[0] for line in lines} == {"__Host-officer", "__Host-officer-visit"}
    for line in lines:
        flags = {part.strip().lower() for part in line.split(";")[1:]}
        assert flags - {"max-age=0"} == {"path=/", "secure", "httponly", "samesite=strict"}, line


async def test_pages_are_in_no_frame_and_no_cache(logged_in: Pages) -> None:
    for path in ("/dashboard", "/dashboard/login", "/dashboard/enrolment"):
        headers = (await logged_in.get(path)).headers
        assert headers.get_list("x-frame-options") == ["DENY"]
        assert headers.get_list("cache-control") == ["no-store"]
        assert headers.get_list("referrer-policy") == ["same-origin"]
        [policy] = headers.get_list("content-security-policy")
        assert {"frame-ancestors 'none'", "default-src 'none'", "form-action 'self'", "base-uri 'none'"} <= {
            part.strip() for part in policy.split(";")
        }
        assert [part.strip() for part in policy.split(";") if "script-src" in part] in ([], ["script-src 'self'"])
        assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/dashboard", "/v1/me", "/v1/officer/me", "/v1/officer/login", "/oauth/userinfo"])
@pytest.mark.parametrize("origin", OTHERS)
async def test_no_other_origin_may_read(api: Api, path: str, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    async with api.client() as client:
        for answer in (await client.options(path, headers=asked), await client.get(path, headers={"Origin": origin})):
            assert answer.headers.get("access-control-allow-origin") in (None, ALLOWED)
            assert "access-control-allow-credentials" not in answer.headers


async def test_an_allowed_origin_reads_without_cookies(api: Api) -> None:
    async with api.client() as client:
        for path, status in (("/v1/services", 200), ("/v1/me", 401), ("/nowhere", 404)):
            answer = await client.get(path, headers={"Origin": ALLOWED})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == ALLOWED
            assert "access-control-allow-credentials" not in answer.headers
            # What a cache keeps for one language or origin is not for another.
            assert {"Accept-Language", "Origin"} <= set(answer.headers["vary"].replace(" ", "").split(","))
            assert "RateLimit-Policy" in answer.headers["access-control-expose-headers"]


async def test_an_allowed_origin_may_send_what_the_document_names(api: Api) -> None:
    async with api.client() as client:
        document = (await client.get("/openapi.json")).json()
        named = [each for path in document["paths"].values() for each in path.values()]
        given = [each for operation in named for each in operation["parameters"] if each.get("in") == "header"]
        wanted = {each["name"].lower() for each in given} | {"authorization", "content-type", "x-acting-for"}
        asked = {"Origin": ALLOWED, "Access-Control-Request-Method": "GET"}
        answer = await client.options("/v1/cases", headers=asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, ALLOWED)
    assert wanted <= set(answer.headers["access-control-allow-headers"].lower().replace(" ", "").split(","))
    assert "last-event-id" in wanted


async def test_a_page_can_read_that_too_many_ask() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def nobody(*_: Any) -> Any:
        raise AssertionError("nobody is let in")

    scope: Any = {"type": "http", "method": "GET", "path": "/v1/me", "headers": [(b"origin", ALLOWED.encode())]}
    await Origins(Shedding(nobody, most_waiting=0), ALLOWED)(scope, nobody, send)
    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"])[b"access-control-allow-origin"] == ALLOWED.encode()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1:1@evil.example", "[::1]", "a\tb"])
async def test_no_page_leads_to_a_host_that_was_sent(api: Api, host: str) -> None:
    async with api.client() as client:
        sent = {
            "Host": host,
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
            "Forwarded": "host=evil.example",
        }
        for path in ("/dashboard", "/dashboard/login", "/dashboard/enrolment", "/v1/officer/me"):
            answer = await client.get(path, headers=sent)
            assert "evil.example" not in answer.text + str(answer.headers)
            assert not urlsplit(answer.headers.get("location", "")).netloc


@pytest.mark.parametrize("sent", TWO_READINGS)
async def test_what_can_be_read_in_two_ways_is_read_in_none(api: Api, sent: bytes) -> None:
    """The request behind it, which a proxy would take for its body, is never answered."""
    place = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(b"POST /dashboard/logout HTTP/1.1\r\nHost: x\r\n" + sent + BEHIND)
    writer.write_eof()
    async with asyncio.timeout(30):
        answered = await reader.read()
    writer.close()
    assert answered.count(b"HTTP/1.1 ") <= 1
    assert not answered.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5"))
