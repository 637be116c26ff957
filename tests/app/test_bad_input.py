"""Bad input over the API: the right problem document in both languages, never a 500, and nothing stored."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from app.texts import LANGUAGES
from tests.harness.cases import SERVICE, advertising, new_key, send_pdf
from tests.harness.people import Citizen
from tests.harness.product import Api
from tests.harness.tables import Tables, grown


class Bad(msgspec.Struct, frozen=True):
    """One bad request and what it is answered. `errors`: pointers and codes that must be among those told."""

    status: int
    code: str
    body: bytes | str = b""
    method: str = "POST"
    path: str = "/v1/cases"
    headers: Mapping[str, str] = {}
    errors: tuple[tuple[str, str], ...] = ()


def case_with(**members: object) -> bytes:
    return msgspec.json.encode({"service": SERVICE, "form": {"kind": "new"}, "draft": True, **members})


def form_with(text: str) -> bytes:
    """A draft whose purpose is raw JSON text."""
    return b'{"service":"%s","draft":true,"form":{"purpose":%s}}' % (SERVICE.encode(), text.encode())


NO_CASE = UUID("0192f5d0-c0de-7000-8000-000000000000")
BAD = {
    "unknown service": Bad(
        422, "validation_failed", case_with(service="no-such"), errors=(("/service", "service_unknown"),)
    ),
    "service that is no slug": Bad(
        422, "validation_failed", case_with(service="A B"), errors=(("/service", "pattern"),)
    ),
    "service missing": Bad(422, "validation_failed", b'{"form":{}}', errors=(("/service", "required"),)),
    "time with a line end behind it": Bad(
        422,
        "validation_failed",
        b'{"channels":[],"quiet_hours":null,"digest_at":"07:00\\n"}',
        method="PUT",
        path="/v1/me/preferences",
        errors=(("/digest_at", "max_length"),),
    ),
    "unknown member": Bad(422, "validation_failed", case_with(oops=1), errors=(("/oops", "unknown_field"),)),
    "wrong type": Bad(422, "validation_failed", case_with(draft="yes"), errors=(("/draft", "type"),)),
    "form no object": Bad(422, "validation_failed", case_with(form=[1]), errors=(("/form", "type"),)),
    "attachment no id": Bad(
        422, "validation_failed", case_with(attachments=["x"]), errors=(("/attachments/0", "format"),)
    ),
    "attachments too many": Bad(
        422, "validation_failed", case_with(attachments=[NO_CASE] * 21), errors=(("/attachments", "max_items"),)
    ),
    "attachment nobody sent": Bad(422, "attachment_not_usable", case_with(attachments=[NO_CASE])),
    "form with wrong values": Bad(
        422,
        "validation_failed",
        case_with(form={"kind": "never", "width_m": -1, "starts_on": "2026-02-30", "extra": 1, "advert_text": "x\a"}),
        errors=(
            ("/form/kind", "enum"),
            ("/form/starts_on", "date_invalid"),
            ("/form/extra", "unknown_field"),
        ),
    ),
    "not JSON": Bad(400, "json_malformed", b"service=reklame"),
    "no body": Bad(422, "validation_failed", b"", errors=(("", "required"),)),
    "half a body": Bad(400, "json_malformed", case_with()[:-1]),
    "something behind the body": Bad(400, "json_malformed", case_with() + b"{}"),
    "invalid UTF-8": Bad(400, "json_malformed", b'{"service":"\xff\xfe"}'),
    "invalid UTF-8 deep inside": Bad(400, "json_malformed", form_with('"x"').replace(b'"x"', b'"\xc3\x28"')),
    "100,000 nested brackets": Bad(400, "json_too_deep", form_with("[" * 100_000 + "]" * 100_000)),
    "100,000 nested brackets and nothing else": Bad(422, "validation_failed", b"[" * 100_000, errors=(("", "type"),)),
    "100,000 nested objects in the form": Bad(400, "json_too_deep", form_with('{"a":' * 20_000 + "1" + "}" * 20_000)),
    "NUL in the form": Bad(400, "text_unstorable", form_with('"Papan\\u0000nama"')),
    "NUL as a name in the form": Bad(400, "text_unstorable", form_with('{"\\\\\\u0000":1}')),
    "the letters of NUL in the form": Bad(422, "validation_failed", form_with('["\\\\u0000"]')),
    "BEL in the form": Bad(
        422, "validation_failed", form_with('"Papan\\u0007nama"'), errors=(("/form/purpose", "control_character"),)
    ),
    "NUL in a parameter": Bad(400, "parameter_invalid", method="GET", path="/v1/services?q=a%00b"),
    "lone surrogate in the form": Bad(400, "json_malformed", form_with('"Papan \\ud800 nama"')),
    "Infinity": Bad(400, "json_malformed", form_with("Infinity")),
    "NaN": Bad(400, "json_malformed", form_with("NaN")),
    "a number beyond all numbers": Bad(422, "validation_failed", form_with("1e400")),
    "a number of 5,000 digits": Bad(422, "validation_failed", form_with("9" * 5000)),
    "a number of 400 digits": Bad(422, "validation_failed", form_with("9" * 400), errors=(("/form/purpose", "type"),)),
    "duplicate keys, the last one wrong": Bad(
        422,
        "validation_failed",
        form_with('"Papan nama toko","kind":"new","kind":"never"'),
        errors=(("/form/kind", "enum"),),
    ),
    "300 kB": Bad(413, "body_too_large", case_with(form={"purpose": "x" * 300_000})),
    "40 MB": Bad(413, "body_too_large", b'{"service":"' + b"x" * 40_000_000 + b'"}'),
    "XML": Bad(415, "media_type_unsupported", b"<case/>", headers={"Content-Type": "application/xml"}),
    "a form of a web page": Bad(
        415, "media_type_unsupported", b"service=x", headers={"Content-Type": "application/x-www-form-urlencoded"}
    ),
    "text": Bad(415, "media_type_unsupported", case_with(), headers={"Content-Type": "text/plain"}),
    "an empty key": Bad(400, "idempotency_key_invalid", case_with(), headers={"Idempotency-Key": ""}),
    "wrong method on a list": Bad(405, "method_not_allowed", method="DELETE"),
    "wrong method on a case": Bad(405, "method_not_allowed", method="PUT", path=f"/v1/cases/{NO_CASE}"),
    "a method nobody knows": Bad(405, "method_not_allowed", method="TRACE", path="/v1/cases"),
    "unknown path": Bad(404, "not_found", method="GET", path="/v1/nothing"),
    "path with dots": Bad(404, "not_found", method="GET", path="/v1/cases/..%2f..%2fetc%2fpasswd"),
    "path with NUL": Bad(404, "not_found", method="GET", path="/v1/cases/%00"),
    "case id that is none": Bad(404, "not_found", method="GET", path="/v1/cases/12345"),
    "case that is not there": Bad(404, "case_not_found", method="GET", path=f"/v1/cases/{NO_CASE}"),
    "a representation nobody makes": Bad(
        406, "not_acceptable", method="GET", path=f"/v1/permits/{NO_CASE}/licence", headers={"Accept": "image/tiff"}
    ),
    "bad cursor": Bad(400, "cursor_invalid", method="GET", path="/v1/cases?cursor=gibberish"),
    "bad limit": Bad(
        400, "parameter_invalid", method="GET", path="/v1/cases?limit=0", errors=(("/query/limit", "minimum"),)
    ),
    "bad event id": Bad(
        400, "last_event_id_invalid", method="GET", path=f"/v1/cases/{NO_CASE}/events", headers={"Last-Event-ID": "-1"}
    ),
    "NIK of 15 digits": Bad(
        422,
        "validation_failed",
        b'{"nik":"357102450590900","name":"Siti Aminah","birth_date":"1990-05-05","phone":"081290019001"}',
        path="/v1/login/registrations",
    ),
    "NIK of a person of the future": Bad(
        422,
        "validation_failed",
        b'{"nik":"3571020101999001","name":"Siti Aminah","birth_date":"2099-01-01","phone":"081290019001"}',
        path="/v1/login/registrations",
    ),
}


async def send(citizen: Citizen, bad: Bad, language: str) -> httpx.Response:
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": new_key(),
        "Accept-Language": language,
        "X-Request-ID": "test-request-0001",
        **bad.headers,
    }
    return await citizen.client.request(bad.method, bad.path, content=bad.body, headers=headers)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("what", BAD)
async def test_bad_input(citizen: Citizen, tables: Tables, what: str, language: str) -> None:
    bad = BAD[what]
    before = await tables.counts()
    answer = await send(citizen, bad, language)
    assert answer.status_code == bad.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    assert answer.headers["x-request-id"] == "test-request-0001"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["request_id"]) == (bad.status, bad.code, "test-request-0001")
    assert problem["type"].endswith(bad.code)
    assert problem["title"]
    assert problem["detail"] not in ("", f"error.{bad.code}")
    assert {(fault["pointer"], fault["code"]) for fault in problem.get("errors", [])} >= set(bad.errors)
    assert grown(before, await tables.counts()) == {}


@pytest.mark.parametrize("what", [what for what, bad in BAD.items() if bad.errors])
async def test_both_languages_say_different_words(citizen: Citizen, what: str) -> None:
    said = [(await send(citizen, BAD[what], language)).json() for language in LANGUAGES]
    assert said[0]["detail"] != said[1]["detail"]
    for one, other in zip(said[0]["errors"], said[1]["errors"], strict=True):
        assert (one["pointer"], one["code"]) == (other["pointer"], other["code"])
        assert one["detail"] != other["detail"]
        assert not re.search(r"field\.|\{\w+\}", one["detail"] + other["detail"])


async def test_a_wrong_method_says_which_are_right(citizen: Citizen) -> None:
    answer = await citizen.client.delete("/v1/cases")
    assert {method.strip() for method in answer.headers["allow"].split(",")} >= {"GET", "POST"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("withdraw", '{"reason":"%s"}'),
        ("answers", '{"answer":"%s"}'),
        ("rating", '{"score":5,"comment":"%s"}'),
    ],
)
@pytest.mark.parametrize("letters", ["\\u0000", "a\\u0007b", "\\ud800", "\\u009f"])
async def test_words_that_cannot_be_stored_are_refused(
    citizen: Citizen, tables: Tables, path: str, body: str, letters: str
) -> None:
    """In a status where the words would be taken, so that nothing but the words is refused."""
    form = advertising(await send_pdf(citizen))
    case = (await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())).json()
    standing = {"withdraw": "submitted", "answers": "needs_citizen", "rating": "completed"}[path]
    await tables.run("UPDATE cases SET status = $1, question = 'Mana?' WHERE id = $2", standing, UUID(case["id"]))
    before = await tables.counts()
    answer = await citizen.client.post(
        f"/v1/cases/{case['id']}/{path}", content=body % letters, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["code"] in ("json_malformed", "text_unstorable", "validation_failed")
    assert grown(before, await tables.counts()) == {}


@pytest.mark.parametrize("score", ["0", "6", "-1", "4.5", '"5"', "null", "true", "1e3", "99999999999999999999999"])
async def test_a_rating_is_one_to_five(citizen: Citizen, tables: Tables, score: str) -> None:
    before = await tables.counts()
    answer = await citizen.client.post(
        f"/v1/cases/{NO_CASE}/rating", content=f'{{"score":{score}}}', headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/score")
    assert grown(before, await tables.counts()) == {}


async def test_a_token_of_another_person_opens_nothing_of_theirs(citizen: Citizen, api: Api, people: Any) -> None:
    stranger = await people.make()
    case = (await citizen.client.post("/v1/cases", content=case_with(), headers=_json())).json()
    async with api.client(stranger.token) as client:
        assert (await client.get(case["links"]["self"])).status_code == 404
    torn = stranger.token.split(".")
    mixed = ".".join((torn[0], citizen.token.split(".")[1], torn[2]))
    async with api.client(mixed) as client:
        answer = await client.get(case["links"]["self"])
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


async def test_the_name_of_an_unknown_member_comes_back_short(citizen: Citizen) -> None:
    body = b'{"service":"%s","form":{},"%s":1}' % (SERVICE.encode(), b"x" * 100_000)
    answer = await citizen.client.post("/v1/cases", content=body, headers=_json())
    assert answer.status_code == 422
    assert len(answer.content) < 2_000


def _json() -> dict[str, str]:
    return {"Content-Type": "application/json", "Idempotency-Key": new_key()}
