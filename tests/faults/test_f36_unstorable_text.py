"""F36: U+0000 and lone surrogates in every text that any route takes: refused as the sender's fault, never a 500."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from app.callbacks.port import signature
from app.discovery import route_handlers
from tests.harness.callbacks import NAMES, SECRET, with_signed_callbacks
from tests.harness.cases import PDF, new_key
from tests.harness.matrix import Matrix, Route, Rule, opened_matrix, routes_of, rules
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.product import Api, running_api
from tests.harness.tables import Tables

ROUTES = routes_of(route_handlers())
RULES = rules()
# As JSON has it, and what is told of it: a fault that stands before the surrogate is found before it.
LETTERS = {
    b"a\\u0000b": [(400, "text_unstorable")],
    b"\\ud800": [(400, "json_malformed"), (422, "validation_failed")],
}
PLACE = "here it stands"
# UTF-8 that is none: read with a sign in its place, which is text like any other.
SURROGATE = "%ED%A0%80"
COOKIES = ("__Host-officer", "__Host-officer-visit", "loket-session", "loket-device")


@pytest.fixture(scope="module")
def api(environment: dict[str, str]) -> Iterator[Api]:
    with running_api(environment, with_signed_callbacks) as running:
        yield running


@pytest.fixture(scope="module")
async def matrix(api: Api, people: People, officers: Officers) -> AsyncIterator[Matrix]:
    async with opened_matrix(api, people, officers) as made:
        yield made


@pytest.fixture(scope="module")
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with api.client() as opened:
        yield opened


@pytest.fixture(scope="module")
async def operations(client: httpx.AsyncClient) -> Mapping[str, Any]:
    """What the contract says of each route, by its line in the matrix."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    return {f"{method.upper()} {path}": told for path, each in paths.items() for method, told in each.items()}


def headers_of(matrix: Matrix, rule: Rule) -> dict[str, str]:
    """Of the first who may."""
    return {**matrix.who_may(rule).headers, "Idempotency-Key": new_key(), "If-Match": '"1"'}


def path_of(route: Route, rule: Rule) -> str:
    return re.sub(r"{(\w+):\w+}", lambda found: rule.path.get(found[1]) or str(uuid4()), route.path)


def bent(value: Any) -> Iterator[Any]:
    """The value with one of its texts, or names, after the other in PLACE."""
    if isinstance(value, str):
        yield PLACE
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from ({**value, name: other} for other in bent(each))
        yield {**value, PLACE: 1}
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from ([*value[:at], other, *value[at + 1 :]] for other in bent(each))


def bodies_of(operation: Mapping[str, Any], rule: Rule) -> Iterator[bytes]:
    content = operation["requestBody"]["content"]["application/json"]
    examples = [each["value"] for each in content.get("examples", {}).values()][:3]
    for example in [*examples, *([rule.body] if isinstance(rule.body, dict) else [])]:
        yield from (msgspec.json.encode(each) for each in bent(example))


async def test_in_json(client: httpx.AsyncClient, matrix: Matrix, operations: Mapping[str, Any]) -> None:
    asked = 0
    for route in ROUTES:
        operation = operations.get(str(route), {})
        if "application/json" not in operation.get("requestBody", {}).get("content", {}):
            continue
        rule = RULES[str(route)]
        headers = {**headers_of(matrix, rule), "Content-Type": "application/json"}
        for body in bodies_of(operation, rule):
            for letters, told in LETTERS.items():
                sent = body.replace(PLACE.encode(), letters)
                answer = await client.request(route.method, path_of(route, rule), content=sent, headers=headers)
                assert (answer.status_code, answer.json()["code"]) in told, f"{route} {sent.decode()}"
                asked += 1
    assert asked > 300


async def test_in_query_and_path(client: httpx.AsyncClient, matrix: Matrix, operations: Mapping[str, Any]) -> None:
    for route in ROUTES:
        rule = RULES[str(route)]
        headers, path = headers_of(matrix, rule), path_of(route, rule)
        answer = await client.request(route.method, f"{path}?name=a%00b", headers=headers)
        assert answer.status_code == 400, f"{route}?%00: {answer.status_code}"
        named = [each["name"] for each in operations.get(str(route), {}).get("parameters", []) if "name" in each]
        for name in named if route.method == "GET" and not rule.streams else []:
            answer = await client.get(f"{path}?{name}={SURROGATE}", headers=headers)
            assert answer.status_code < 500 or answer.status_code in rule.own, f"{route} {name}: {answer.text}"
        for kept in re.findall(r"{\w+:str}", route.path):
            for letters, statuses in (("a%00b", (404,)), (SURROGATE, range(300, 500))):
                odd = re.sub(r"{\w+:\w+}", str(uuid4()), route.path.replace(kept, letters))
                answer = await client.request(route.method, odd, headers=headers)
                assert answer.status_code in statuses, f"{route} {odd}: {answer.status_code}"


async def test_in_forms_of_pages(client: httpx.AsyncClient, matrix: Matrix) -> None:
    """An officers' page refuses it with a page; agencies' applications are answered as their protocol has it."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for route in ROUTES:
        rule = RULES[str(route)]
        if route.method != "POST" or (rule.form is None and not rule.page):
            continue
        caller = matrix.who_may(rule)
        fields = {**(rule.form or {}), "reason": "x", **({"mark": caller.mark} if caller.mark else {})}
        for name in fields:
            for at, letters in ((name, "%00"), (name, SURROGATE), (f"{name}%00", "x")):
                rest = "&".join(f"{each}={value}" for each, value in fields.items() if each != name)
                sent = f"{at}={letters}&{rest}"
                answer = await client.post(path_of(route, rule), content=sent, headers={**caller.headers, **kind})
                assert answer.status_code < 500, f"{route} {sent}: {answer.status_code}"
                if rule.page and "%00" in sent:
                    assert answer.status_code == 400, f"{route} {sent}: {answer.status_code}"


@pytest.mark.parametrize("name", [b"a\x00.pdf", b"\xed\xa0\x80.pdf", b"a%00.pdf", b'a.pdf"; x="\x00'])
@pytest.mark.parametrize("field", [b"file", b"fi\x00le", b"\xed\xa0\x80"])
async def test_in_a_multipart_name(
    client: httpx.AsyncClient, matrix: Matrix, tables: Tables, name: bytes, field: bytes
) -> None:
    rule = RULES["POST /v1/attachments"]
    body = (
        b'--cut\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n'
        b"Content-Type: application/pdf\r\n\r\n%s\r\n--cut--\r\n" % (field, name, PDF)
    )
    headers = {**headers_of(matrix, rule), "Content-Type": "multipart/form-data; boundary=cut"}
    answer = await client.post("/v1/attachments", content=body, headers=headers)
    assert answer.status_code in (201, 400, 422), answer.text
    if answer.status_code == 201:
        assert re.fullmatch(r"[^\x00\ud800-\udfff]+\.pdf", answer.json()["name"])


async def test_in_headers_and_cookies(api: Api, matrix: Matrix, client: httpx.AsyncClient) -> None:
    for name in (b"X-Request-ID", b"Accept-Language", b"User-Agent", b"Cookie", b"If-None-Match", b"X-Acting-For"):
        assert b" 400 " in (await raw(api, b"GET /v1/services HTTP/1.1\r\nHost: x\r\n%s: a\x00b\r\n\r\n" % name))[:20]
    assert b" 400 " in (await raw(api, b"GET /v1/services\x00 HTTP/1.1\r\nHost: x\r\n\r\n"))[:20]
    for route in ROUTES:
        if route.method == "GET" and (RULES[str(route)].page or str(route).startswith("GET /oauth")):
            cookie = "; ".join(f'{name}="a\\000b"' for name in COOKIES)
            answer = await client.get(path_of(route, RULES[str(route)]), headers={"Cookie": cookie})
            assert answer.status_code < 500, f"{route}: {answer.status_code}"
    secret = base64.b64encode(b"portal\0:sec\0ret").decode()
    for path in ("token", "introspect", "revoke"):
        answer = await client.post(
            f"/oauth/{path}", data={"token": "a\0"}, headers={"Authorization": f"Basic {secret}"}
        )
        assert answer.status_code < 500, path


async def test_in_a_signed_callback(client: httpx.AsyncClient, tables: Tables) -> None:
    for body in (b'{"number":"a\\u0000b","state":"x"}', b'{"number":"a","state":"\\u0000"}'):
        at = str(int(await tables.value("SELECT extract(epoch FROM now())::int")))
        signed = dict(zip(NAMES, (at, signature(SECRET, at, body)), strict=True))
        answer = await client.post("/callbacks/sicantik", content=body, headers=signed)
        assert (answer.status_code, answer.json()["code"]) == (400, "callback_unreadable")
    assert await tables.value("SELECT count(*) FROM callback_receipts") == 0


async def raw(api: Api, sent: bytes) -> bytes:
    """What is answered to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rsplit(":", 1)[1]))
    writer.write(sent)
    try:
        async with asyncio.timeout(20):
            return await reader.read(4096)
    finally:
        writer.close()
