"""Acting for somebody else: asked for, granted, limited, revoked; on record, on the timeline and told to both."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from msgspec.structs import replace

from app.asking import Acting, as_citizen, as_delegate, asking
from app.assembly import build
from app.database import Database
from app.delegations.door import Delegations
from app.errors import Forbidden
from app.login.guards import ACTING_FOR, ActingAsked
from app.login.officers.door import Door
from app.telemetry import RequestLog, Telemetry
from tests.harness.acting import PERMIT, TICKET
from tests.harness.cases import advertising, hand_in, new_key
from tests.harness.people import Citizen, People
from tests.harness.product import Api

PATH = "/v1/me/delegations"
NOBODY = "3571020101909998"


@pytest.fixture(scope="module")
async def database(api: Api) -> AsyncIterator[Database]:
    opened = Database(api.settings.database_url, pool_size=2, name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def pair(people: People) -> tuple[Citizen, Citizen, str]:
    """Who is acted for, who acts, and the delegation in force, for permits."""
    subject, delegate = await people.make(), await people.make()
    return subject, delegate, await granted(subject, delegate)


def wanted(nik: str, services: tuple[str, ...] = (PERMIT,)) -> dict[str, Any]:
    return {"nik": nik, "relation": "elder", "services": list(services), "days": 30}


async def granted(subject: Citizen, delegate: Citizen, services: tuple[str, ...] = (PERMIT,)) -> str:
    asked = await delegate.post(PATH, wanted(subject.person.nik, services), new_key())
    assert asked.status_code == 201, asked.text
    found = str(asked.json()["id"])
    answer = await subject.post(f"{PATH}/{found}/grant", None)
    assert answer.status_code == 204, answer.text
    return found


async def act(delegate: Citizen, method: str, path: str, delegation: str, **more: Any) -> httpx.Response:
    headers = {ACTING_FOR: delegation, **({"Idempotency-Key": new_key()} if method == "POST" else {})}
    return await delegate.client.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)


async def open_case(delegate: Citizen, delegation: str, key: str = "") -> httpx.Response:
    """A permit asked for by the delegate, with a file of theirs."""
    files = {"file": ("berkas.pdf", b"%PDF-1.4\ntrailer<<>>\nstartxref\n9\n%%EOF\n", "application/pdf")}
    sent = await act(delegate, "POST", "/v1/attachments", delegation, files=files)
    assert sent.status_code == 201, sent.text
    body = {"service": PERMIT, "form": advertising(sent.json()["id"])}
    headers = {"Idempotency-Key": key or new_key()}
    return await act(delegate, "POST", "/v1/cases", delegation, json=body, headers=headers)


async def shown(citizen: Citizen) -> list[dict[str, Any]]:
    answer = await citizen.get(PATH)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_both_sides_see_it_and_only_whom_it_is_asked_of_may_grant_it(people: People) -> None:
    subject, delegate, stranger = [await people.make() for _ in range(3)]
    asked = (await delegate.post(PATH, wanted(subject.person.nik), new_key())).json()
    assert (asked["state"], asked["side"], asked["other"], asked["acting_for"]) == ("asked", "delegate", None, None)
    [seen] = await shown(subject)
    assert (seen["side"], seen["other"], seen["state"]) == ("subject", delegate.person.name, "asked")
    assert await shown(stranger) == []
    for other in (stranger, delegate):
        assert (await other.post(f"{PATH}/{asked['id']}/grant", None)).status_code == 404
    assert (await subject.post(f"{PATH}/{asked['id']}/grant", None)).status_code == 204
    assert (await subject.post(f"{PATH}/{asked['id']}/grant", None)).status_code == 404
    [standing] = await shown(delegate)
    assert (standing["state"], standing["other"], standing["acting_for"]) == (
        "active",
        subject.person.name,
        asked["id"],
    )


async def test_asking_tells_nothing_of_whether_anybody_has_the_nik(people: People, database: Database) -> None:
    subject, delegate = await people.make(), await people.make()
    answers = [await delegate.post(PATH, wanted(nik), new_key()) for nik in (subject.person.nik, NOBODY)]
    told = [{**answer.json(), "id": "", "asked_at": ""} for answer in answers]
    assert told[0] == told[1]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len({len(answer.content) for answer in answers}) == 1
    rows = await database.fetch("SELECT state, subject_id FROM delegations WHERE delegate_id = $1", delegate.id)
    assert [tuple(row.values()) for row in rows] == [("asked", None)] * 2


async def test_a_case_opened_for_another_is_theirs_and_says_who_did_it(
    pair: tuple[Citizen, Citizen, str], database: Database
) -> None:
    subject, delegate, delegation = pair
    opened = await open_case(delegate, delegation)
    assert opened.status_code == 202, opened.text
    case = opened.json()
    assert [each["id"] for each in (await delegate.get("/v1/cases")).json()["items"]] == []
    whole = (await subject.get(f"/v1/cases/{case['id']}")).json()
    submitted = next(event for event in whole["timeline"] if event["kind"] == "submitted")
    assert submitted["data"]["delegation"] == delegation
    assert "mewakili" in submitted["text"]
    read = await act(delegate, "GET", f"/v1/cases/{case['id']}", delegation)
    assert read.status_code == 200
    rows = await database.fetch(
        "SELECT action, actor_id, subject_id FROM audit_rows WHERE object_id = $1 ORDER BY id", case["id"]
    )
    assert {(row["action"], row["actor_id"]) for row in rows} == {
        ("case.submit", str(delegate.id)),
        ("delegate.read", str(delegate.id)),
    }
    assert {row["subject_id"] for row in rows} == {subject.id}


async def test_both_are_told(pair: tuple[Citizen, Citizen, str]) -> None:
    subject, delegate, delegation = pair
    number = (await open_case(delegate, delegation)).json()["number"]
    for citizen, key in ((subject, "inbox.acted.submitted"), (delegate, "inbox.acted.submitted.by_you")):
        newest = (await citizen.get("/v1/inbox")).json()["items"][0]
        assert newest["key"] == key
        assert number in newest["text"]
    assert (await subject.client.delete(f"{PATH}/{delegation}")).status_code == 204
    for citizen in (subject, delegate):
        assert (await citizen.get("/v1/inbox")).json()["items"][0]["key"].startswith("inbox.delegation_ended.")


async def test_the_subject_sees_in_the_access_log_who_read_what(pair: tuple[Citizen, Citizen, str]) -> None:
    subject, delegate, delegation = pair
    case = await hand_in(subject)
    assert (await act(delegate, "GET", f"/v1/cases/{case['id']}", delegation)).status_code == 200
    [newest, *_] = (await subject.get("/v1/me/access-log")).json()["items"]
    assert delegate.person.name in newest["actor"]["text"]
    assert newest["action"] == "delegate.read"
    assert newest["case"]["number"] == case["number"]
    assert [field["name"] for field in newest["fields"]] == ["form", "timeline"]


async def test_what_was_revoked_holds_nowhere_any_more(pair: tuple[Citizen, Citizen, str]) -> None:
    subject, delegate, delegation = pair
    for citizen in (subject, delegate):
        again = delegation if citizen is subject else await granted(subject, delegate)
        assert (await act(delegate, "GET", "/v1/cases", again)).status_code == 200
        assert (await citizen.client.delete(f"{PATH}/{again}")).status_code == 204
        refused = await act(delegate, "GET", "/v1/cases", again)
        assert (refused.status_code, refused.json()["code"]) == (403, "delegation_invalid")
        assert (await citizen.client.delete(f"{PATH}/{again}")).status_code == 204
    assert {each["state"] for each in await shown(subject)} == {"ended"}


async def test_a_refused_one_is_never_granted(people: People) -> None:
    subject, delegate = await people.make(), await people.make()
    asked = (await delegate.post(PATH, wanted(subject.person.nik), new_key())).json()["id"]
    assert (await subject.client.delete(f"{PATH}/{asked}")).status_code == 204
    assert (await subject.post(f"{PATH}/{asked}/grant", None)).status_code == 404
    assert [each["state"] for each in await shown(delegate)] == ["refused"]


async def test_keys_of_both_never_meet(pair: tuple[Citizen, Citizen, str], people: People) -> None:
    subject, delegate, delegation = pair
    other = await people.make()
    second = await granted(other, delegate)
    key = new_key()
    answers = [await open_case(delegate, each, key) for each in (delegation, second)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    own = await subject.post("/v1/cases", {"service": PERMIT, "form": {}, "draft": True}, key)
    assert own.status_code == 201
    assert "Idempotency-Replayed" not in own.headers


async def test_the_same_key_gives_the_delegate_the_same_answer(pair: tuple[Citizen, Citizen, str]) -> None:
    _, delegate, delegation = pair
    body, key = {"service": PERMIT, "form": {}, "draft": True}, new_key()
    first, again = [
        await act(delegate, "POST", "/v1/cases", delegation, json=body, headers={"Idempotency-Key": key})
        for _ in range(2)
    ]
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_nothing_is_proven_by_who_acts(pair: tuple[Citizen, Citizen, str], api: Api, database: Database) -> None:
    """A subject who was not proven to be who they say is not by somebody at level 2 who acts for them."""
    subject, delegate, delegation = pair
    product = build(api.settings, "test")
    await product.gate.keys.open()
    door = Delegations(product.gate, Door(product.gate))
    asked = ActingAsked(delegate.token, delegation, "GET", 2, "services", None)
    assert (await door.act(asked)).assurance_level == 2
    async with database.begin() as connection:
        await connection.execute("UPDATE citizens SET assurance_level = 1 WHERE id = $1", subject.id)
    with pytest.raises(Forbidden, match="assurance_level_too_low"):
        await door.act(asked)
    await product.gate.close()
    await product.close()


async def test_row_level_security_knows_the_delegation(pair: tuple[Citizen, Citizen, str], database: Database) -> None:
    """Statements that name no owner, asked for the delegate: the second net alone."""
    subject, delegate, delegation = pair
    permit = await hand_in(subject)
    await subject.post("/v1/cases", {"service": TICKET, "form": {}, "draft": True}, new_key())
    opened = (await open_case(delegate, delegation)).json()["id"]
    acts = Acting(UUID(delegation), subject.id, "citizen", delegate.id, (PERMIT,))
    with asking(as_delegate(acts)):
        cases = await database.fetch("SELECT id::text, service FROM cases")
        assert {row["id"] for row in cases} == {permit["id"], opened}
        assert {row["service"] for row in cases} == {PERMIT}
        for table in ("sessions", "messages", "consents", "credentials", "passkeys"):
            assert (await database.fetch(f"SELECT count(*) AS n FROM {table}"))[0]["n"] == 0, table
        assert [row["id"] for row in await database.fetch("SELECT id FROM citizens")] == [subject.id]
        keys = await database.fetch("SELECT key FROM idempotency_keys")
        assert keys
        assert all(row["key"].startswith(f"{delegation}|") for row in keys)
    with asking(as_citizen(delegate.id)):
        assert await database.fetch("SELECT id FROM cases") == []


async def test_log_lines_say_who_acted_for_whom(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[Mapping[str, object]] = []
    monkeypatch.setattr(RequestLog, "add", lambda _, line: lines.append(line))
    acts = Acting(uuid4(), uuid4(), "citizen", uuid4(), (PERMIT,))

    async def application(scope: Any, _: Any, send: Any) -> None:
        scope["state"] = {"acting": acts} if scope["path"] == "/for-another" else {}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    telemetry: Any = Telemetry(application, replace(api.settings, log_level="info"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(telemetry), base_url="http://test") as client:
        for path in ("/for-another", "/for-oneself"):
            await client.get(path)
    other, own = lines
    assert (other["subject"], other["actor"]) == (str(acts.subject_id), str(acts.actor_id))
    assert "subject" not in own


@pytest.mark.usefixtures("worker")
async def test_whom_it_is_asked_of_gets_a_message(people: People) -> None:
    subject, delegate = await people.make(), await people.make()
    for nik in (NOBODY, subject.person.nik):
        assert (await delegate.post(PATH, wanted(nik), new_key())).status_code == 201

    async def first() -> list[dict[str, Any]]:
        return list((await subject.get("/v1/inbox")).json()["items"])

    async with asyncio.timeout(30):
        while not (items := await first()):  # noqa: ASYNC110 -- a worker writes it
            await asyncio.sleep(0.1)
    assert items[0]["key"] == "inbox.delegation_asked"
    assert delegate.person.name not in items[0]["text"]
