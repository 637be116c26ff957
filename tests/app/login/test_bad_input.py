"""Whatever is sent to login, the answer is a problem document and never a 500."""

import json

import pytest

from tests.app.login.journey import Journey, somebody

ID = "0192f5d0-c0de-7000-8000-000000000000"
GOOD = {
    "/v1/login/registrations": {
        "nik": "3571024505909999",
        "name": "Ayu",
        "birth_date": "1990-05-05",
        "phone": "081290099999",
    },
    f"/v1/login/registrations/{ID}/confirm": {"code": "123456", "password": "Tujuh-Becak-Biru"},
    "/v1/login/sessions": {"nik": "3571024505909999", "password": "Tujuh-Becak-Biru"},
    f"/v1/login/challenges/{ID}": {"method": "otp", "code": "123456"},
    "/v1/login/refresh": {"refresh_token": "x" * 43},
}
VALUES = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    " ",
    "x" * 5000,
    "\u0000",
    "\n",
    "٣" * 16,
    "'\";--",
    [],
    {},
    ["a"],
    {"a": 1},
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"{}",
    b'{"nik": "\xff"}',
    b'{"nik": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"nik": NaN}',
    b"nik=3571024505909999&password=x",
]


@pytest.mark.parametrize("path", GOOD)
async def test_every_field_with_every_wrong_value(journey: Journey, path: str) -> None:
    async with journey.api.client() as client:
        for field in GOOD[path]:
            for value in VALUES:
                answer = await client.post(path, json={**GOOD[path], field: value})
                if field == "password" and answer.status_code == 200:
                    continue  # any text may be typed as a password: it is only wrong
                assert 400 <= answer.status_code < 500, (field, value, answer.text)
                assert answer.headers["content-type"] == "application/problem+json", (field, value)
                sent = value if isinstance(value, str) and len(value.strip()) > 3 else None
                assert sent is None or json.dumps(sent)[1:-1] not in answer.text, "what was sent is not sent back"


@pytest.mark.parametrize("path", GOOD)
async def test_missing_and_unknown_fields(journey: Journey, path: str) -> None:
    async with journey.api.client() as client:
        for field in GOOD[path]:
            without = {name: value for name, value in GOOD[path].items() if name != field}
            answer = await client.post(path, json=without)
            assert answer.status_code == 422
            assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{field}", "required")]
        answer = await client.post(path, json={**GOOD[path], "assurance_level": 3})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "unknown_field"


@pytest.mark.parametrize("path", GOOD)
async def test_bodies_that_are_none(journey: Journey, path: str) -> None:
    async with journey.api.client() as client:
        for body in BODIES:
            answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 413, 422), (body[:20], answer.status_code)
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    ["/v1/login/challenges/1", "/v1/login/challenges/%00", "/v1/login/registrations/x/confirm", "/v1/login/nothing"],
)
async def test_addresses_that_are_none(journey: Journey, path: str) -> None:
    async with journey.api.client() as client:
        assert (await client.post(path, json={})).status_code == 404


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=1e3", "cursor=x", "cursor=W10", "cursor=%00"]
)
async def test_lists_with_bad_queries(journey: Journey, query: str) -> None:
    tokens = await journey.register(somebody())
    async with journey.api.client(token=tokens["access_token"]) as client:
        for path in ("/v1/me/sessions", "/v1/inbox"):
            answer = await client.get(f"{path}?{query}")
            assert answer.status_code == 400, (path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["x" * 61, "a\nb", "a\u001b[31mb", 5, None])
async def test_device_names(journey: Journey, name: object) -> None:
    async with journey.api.client() as client:
        answer = await client.post("/v1/login/sessions", json={**GOOD["/v1/login/sessions"], "device_name": name})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/device_name"
