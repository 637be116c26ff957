"""Idempotency keys: one key of one citizen gives one answer, however often and however quickly it is sent."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from app.idempotency import fingerprint
from tests.harness.cases import PDF, SERVICE, advertising, new_key, send_pdf
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables, grown

DRAFT: dict[str, Any] = {"service": SERVICE, "form": {"kind": "new"}, "draft": True}


async def send_file(
    citizen: Citizen, key: str | None, content: bytes = PDF, name: str = "berkas.pdf"
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    files = {"file": (name, content, "application/pdf")}
    return await citizen.client.post("/v1/attachments", files=files, headers=headers)


async def test_the_same_key_and_body_give_the_first_answer_again(citizen: Citizen, tables: Tables) -> None:
    body = {"service": SERVICE, "form": advertising(await send_pdf(citizen))}
    key = new_key()
    first = await citizen.post("/v1/cases", body, key=key)
    before = await tables.counts()
    # The agency may have moved it on meanwhile; the answer is still the first one.
    await tables.run("UPDATE cases SET status = 'in_review' WHERE number = $1", first.json()["number"])
    second = await citizen.post("/v1/cases", body, key=key)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["location"] == first.headers["location"]
    assert grown(before, await tables.counts()) == {}


async def test_the_same_key_for_something_else_is_refused(citizen: Citizen, tables: Tables) -> None:
    key = new_key()
    first = await citizen.post("/v1/cases", DRAFT, key=key)
    before = await tables.counts()
    other_body = await citizen.post("/v1/cases", {**DRAFT, "form": {"kind": "renewal"}}, key=key)
    other_route = await citizen.post(f"/v1/cases/{first.json()['id']}/withdraw", DRAFT["form"] and {}, key=key)
    for answer in (other_body, other_route):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert grown(before, await tables.counts()) == {}


async def test_what_was_taken_once_is_answered_as_then_though_the_form_does_not_fit_any_more(
    citizen: Citizen, tables: Tables
) -> None:
    key = new_key()
    body = {"service": SERVICE, "form": advertising(await send_pdf(citizen))}
    first = await citizen.post("/v1/cases", body, key=key)
    # As if the city had narrowed the form since: what was sent then would be refused now.
    content = json.dumps({**body, "form": {"kind": "by_then_allowed"}}).encode()
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    other = await citizen.client.post("/v1/cases", content=content, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    sent = fingerprint("POST", "/v1/cases", content)
    await tables.run("UPDATE idempotency_keys SET fingerprint = $2 WHERE key = $1", key, sent)
    again = await citizen.client.post("/v1/cases", content=content, headers=headers)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotency-replayed"] == "true"


async def test_ten_at_once_make_one_case(people: People, tables: Tables) -> None:
    citizen = await people.make()
    body = {"service": SERVICE, "form": advertising(await send_pdf(citizen))}
    key = new_key()
    before = await tables.counts()
    answers = await asyncio.gather(*(citizen.post("/v1/cases", body, key=key) for _ in range(10)))
    made = [answer for answer in answers if answer.status_code == 202]
    assert made
    assert len({answer.content for answer in made}) == 1
    others = [answer for answer in answers if answer.status_code != 202]
    assert {(answer.status_code, answer.json()["code"]) for answer in others} <= {(409, "idempotency_key_in_use")}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in others)
    stored = grown(before, await tables.counts())
    assert {name: stored[name] for name in ("cases", "deliveries", "pgqueuer", "idempotency_keys")} == {
        "cases": 1,
        "deliveries": 1,
        "pgqueuer": 1,
        "idempotency_keys": 1,
    }
    again = await citizen.post("/v1/cases", body, key=key)
    assert again.content == made[0].content


async def test_without_a_key_nothing_is_made(citizen: Citizen, tables: Tables) -> None:
    before = await tables.counts()
    for answer in (await citizen.client.post("/v1/cases", json=DRAFT), await send_file(citizen, None)):
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert grown(before, await tables.counts()) == {}


@pytest.mark.parametrize(
    "key", ["short", "x" * 129, "with space in it", "semi;colon-key", "kunci-ä-kunci", "a" * 7, ""]
)
async def test_a_malformed_key_is_refused(citizen: Citizen, tables: Tables, key: str) -> None:
    before = await tables.counts()
    headers = {"Idempotency-Key": key.encode()}
    answer = await citizen.client.post("/v1/cases", json=DRAFT, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert grown(before, await tables.counts()) == {}


async def test_a_key_is_ones_own(people: People) -> None:
    one, other = await people.make(), await people.make()
    key = new_key()
    mine, theirs = [await citizen.post("/v1/cases", DRAFT, key=key) for citizen in (one, other)]
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    assert "idempotency-replayed" not in theirs.headers


async def test_a_refused_request_leaves_its_key_free(citizen: Citizen) -> None:
    key = new_key()
    refused = await citizen.post("/v1/cases", {**DRAFT, "form": {"kind": "never"}}, key=key)
    mended = await citizen.post("/v1/cases", DRAFT, key=key)
    assert (refused.status_code, mended.status_code) == (422, 201)


async def test_a_file_sent_again_is_the_same_file_though_its_boundary_differs(citizen: Citizen, tables: Tables) -> None:
    key = new_key()
    first = await send_file(citizen, key)
    before = await tables.counts()
    second = await send_file(citizen, key)
    assert first.request.headers["content-type"] != second.request.headers["content-type"]
    assert second.headers["idempotency-replayed"] == "true"
    assert (second.status_code, second.content) == (201, first.content)
    other = await send_file(citizen, key, PDF + b"\n")
    renamed = await send_file(citizen, key, name="lain.pdf")
    assert [answer.json()["code"] for answer in (other, renamed)] == ["idempotency_key_reused"] * 2
    assert grown(before, await tables.counts()) == {}


async def test_other_writes_take_a_key_too(citizen: Citizen) -> None:
    case = (await citizen.post("/v1/cases", DRAFT, key=new_key())).json()
    key = new_key()
    first = await citizen.post(case["links"]["withdraw"], {"reason": "salah"}, key=key)
    second = await citizen.post(case["links"]["withdraw"], {"reason": "salah"}, key=key)
    assert first.json()["status"] == "withdrawn"
    assert (second.content, second.headers["idempotency-replayed"]) == (first.content, "true")


async def test_what_is_kept_is_encrypted(citizen: Citizen, tables: Tables) -> None:
    key = new_key()
    number = (await citizen.post("/v1/cases", DRAFT, key=key)).json()["number"]
    kept = await tables.value("SELECT body_enc FROM idempotency_keys WHERE key = $1", key)
    assert number.encode() not in kept
