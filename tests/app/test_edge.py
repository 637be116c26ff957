"""The edge around every route: request ids, security headers, quotas, hosts, methods, and who is let in."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from litestar.handlers import HTTPRouteHandler

from app.discovery import route_handlers
from app.main import PER_SESSION
from tests.harness.cases import SERVICE, hand_in, new_key
from tests.harness.people import Citizen, People
from tests.harness.product import Api
from tests.harness.tables import Tables

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
PLACES = ["/healthz", "/v1/services", "/v1/cases", "/v1/nothing", "/docs", "/openapi.json", "/docs/start.js"]
CLOSED = [handler for handler in route_handlers() if handler.opt["permission"] in ("citizen", "officer")]


class Agency:
    """An agency's system that answers nothing useful and remembers what it was sent."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(status=404)


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_LIMITS"] = "strict"
    return environment


@pytest.fixture(scope="module")
async def agency(environment: dict[str, str]) -> AsyncIterator[Agency]:
    listening = Agency()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listening.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(environment["LOKET_SANDBOX_PORT"])).start()
    yield listening
    await runner.cleanup()


@pytest.mark.parametrize("place", PLACES)
async def test_security_headers_are_on_every_answer(api: Api, place: str) -> None:
    async with api.client() as client:
        answer = await client.get(place)
    assert {name: answer.headers.get(name) for name in SECURITY} == SECURITY
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy
    assert answer.headers["x-request-id"]
    assert "cache-control" in answer.headers


@pytest.mark.parametrize("given", ["abcdefgh", "0192f5d0-c0de-7000-8000-000000000000", "A.b_c-1" * 9])
async def test_a_request_id_is_kept(api: Api, given: str) -> None:
    async with api.client() as client:
        answer = await client.get("/healthz", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given",
    [
        *("", "short", "x" * 65, "with space in", "<script>12", "a;b;c;d;e", "é" * 10, "a\tb\tc\td\te"),
        *("3571024505909001", "case-3571024505909001", "081234567890.1"),
    ],
)
async def test_a_request_id_of_bad_form_is_replaced(api: Api, given: str) -> None:
    async with api.client() as client:
        answer = await client.get("/v1/nothing", headers={"X-Request-ID": given.encode()})  # type: ignore[arg-type]
    assert UUID(answer.headers["x-request-id"]).version == 7
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_request_id_reaches_the_agency_and_the_audit_record(
    citizen: Citizen, agency: Agency, tables: Tables, api: Api
) -> None:
    async with api.client() as client:
        await client.get("/v1/permits/check?number=503/0001", headers={"X-Request-ID": "follow-me-to-the-agency"})
    assert [headers["x-request-id"] for headers in agency.headers] == ["follow-me-to-the-agency"]
    citizen.client.headers["X-Request-ID"] = "follow-me-to-the-audit"
    case = await hand_in(citizen)
    del citizen.client.headers["X-Request-ID"]
    recorded = await tables.value("SELECT request_id FROM audit_rows WHERE object_id = $1", case["id"])
    assert recorded == "follow-me-to-the-audit"


async def test_quotas_are_told_and_held(people: People) -> None:
    citizen = await people.make()
    first = await citizen.get("/v1/cases")
    assert first.headers["ratelimit-policy"] == f'"default";q={PER_SESSION};w=60'
    assert first.headers["ratelimit"].startswith(f'"default";r={PER_SESSION - 1};t=')
    answers = [first]
    while len(answers) <= PER_SESSION:
        answers += await asyncio.gather(*(citizen.get("/v1/cases", limit="1") for _ in range(20)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) == PER_SESSION
    assert {answer.json()["code"] for answer in refused} == {"too_many_requests"}
    assert all(0 < int(answer.headers["retry-after"]) <= 60 for answer in refused)
    assert all(answer.headers["ratelimit"].startswith('"default";r=0;t=') for answer in refused)
    # Nobody else waits for it.
    other = await people.make()
    assert (await other.get("/v1/cases")).status_code == 200


async def test_a_forwarded_address_is_not_believed_from_anybody(api: Api) -> None:
    async with api.client() as client:
        told = [
            (await client.get("/v1/agencies", headers={"X-Forwarded-For": f"203.0.113.{last}"})).headers["ratelimit"]
            for last in range(3)
        ]
    left = [int(each.split("r=")[1].split(";")[0]) for each in told]
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == 3


@pytest.mark.parametrize("handler", CLOSED, ids=lambda handler: str(handler.operation_id))
async def test_nobody_comes_in_without_a_token_nor_is_the_body_read(api: Api, handler: HTTPRouteHandler) -> None:
    [method] = handler.http_methods - {"OPTIONS", "HEAD"}
    path = re.sub(r"{\w+:int}", "1", re.sub(r"{\w+:(uuid|str)}", str(uuid4()), next(iter(handler.paths))))
    async with api.client() as client:
        answer = await client.request(str(method), path, content=b"{not json" if method != "GET" else None)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_no_route_replaces_who_lets_in() -> None:
    """Letting in is the application's `before_request`; a handler's own would stand in its place."""
    own = [handler.operation_id for handler in route_handlers() if handler.before_request]
    assert own == []


async def test_a_slow_lock_is_a_503_and_no_500(people: People, tables: Tables) -> None:
    citizen = await people.make()
    body = {"service": SERVICE, "form": {}, "draft": True}
    case = (await citizen.post("/v1/cases", body, key=new_key())).json()
    async with tables.connection.transaction():
        await tables.run("SELECT 1 FROM cases WHERE id = $1 FOR UPDATE", UUID(case["id"]))
        began = time.monotonic()
        answer = await citizen.post(case["links"]["withdraw"], {})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert time.monotonic() - began < 5
    assert (await citizen.post(case["links"]["withdraw"], {})).status_code == 200


async def test_connections_that_died_are_replaced(citizen: Citizen, tables: Tables) -> None:
    for _ in range(3):
        await tables.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'loket-api' AND state <> 'active'"
        )
        answers = await asyncio.gather(
            citizen.get("/v1/cases"), citizen.get("/v1/me"), citizen.get("/v1/services"), citizen.get("/v1/inbox")
        )
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert all(answer.json()["code"] == "database_unavailable" for answer in answers if answer.status_code == 503)
    assert (await citizen.get("/v1/cases")).status_code == 200


async def test_cors_is_off_unless_asked_for(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/v1/services", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_options_name_the_methods(api: Api) -> None:
    async with api.client() as client:
        answer = await client.options("/v1/cases")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


@pytest.mark.parametrize(
    "path", ["/healthz", "/v1/services", "/v1/cases", "/v1/nothing", "/dashboard", "/openapi.json"]
)
async def test_a_head_is_that_of_the_answer(citizen: Citizen, path: str) -> None:
    head, whole = await citizen.client.head(path), await citizen.client.get(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers.keys() == whole.headers.keys()
    assert head.headers["content-type"] == whole.headers["content-type"]


async def test_the_head_of_a_stream_ends_at_once_and_holds_no_place(citizen: Citizen) -> None:
    case = await hand_in(citizen)
    for _ in range(6):
        answer = await citizen.client.head(f"/v1/cases/{case['id']}/events")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_what_cannot_be_got_has_no_head(citizen: Citizen) -> None:
    answer = await citizen.client.head("/v1/me/step-up")
    assert (answer.status_code, answer.content, "HEAD" in answer.headers["allow"]) == (405, b"", False)
    answer = await citizen.client.delete("/v1/cases")
    assert {"GET", "HEAD", "POST"} <= set(answer.headers["allow"].split(", "))
