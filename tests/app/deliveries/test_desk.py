"""The operator's desk over HTTP: what waits, for whom, and every way to end it."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest

from app.assembly import Product
from app.cases.attempts import sealed
from app.cases.claims import Outcome, Stale, claim
from app.cases.follow import put_before_officer
from app.cases.settle import settle_case
from app.errors import OutcomeUnknown
from app.exchanges import Exchange
from tests.harness.cases import hand_in
from tests.harness.deliveries import before_officer, delivery_of, ended_as
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.tables import Tables

WHY = "Dicek di loket DPMPTSP."
AS_DELIVERED = {"outcome": "delivered", "reason": WHY}
ENDED = ("delivered", "rejected")
DESK = "/v1/officer/deliveries"


async def shown(people_case: Any, citizen: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await citizen.get(f"/v1/cases/{people_case['id']}")).json()
    return answer


async def test_the_list_says_what_waits_and_why(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("operator")
    case, delivery_id = await before_officer(product, tables, citizen)
    queued = await hand_in(await people.make())
    found = (await officer.get(DESK, state="needs_operator", case=case["number"])).json()["items"]
    assert [item["id"] for item in found] == [str(delivery_id)]
    assert found[0]["reason"] == "cannot_tell"
    assert found[0]["text"].startswith("Jawaban instansi hilang")
    assert (found[0]["unknown"], found[0]["under_way"], found[0]["tries"]) == (True, False, 1)
    numbers, cursor = [], None
    while True:
        page = (await officer.get(DESK, limit="1", **({"cursor": cursor} if cursor else {}))).json()
        numbers += [item["case_number"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(numbers) == len(set(numbers))
    assert {case["number"], queued["number"]} <= set(numbers)
    assert citizen.person.name not in str(found)


async def test_another_agencys_delivery_is_not_there(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    _, delivery_id = await before_officer(product, tables, await people.make())
    stranger = await officers.make("supervisor", "dinkes")
    assert (await stranger.get(DESK)).json()["items"] == []
    bodies = {"retry": {"reason": WHY}, "resolve": {"outcome": "send_again", "reason": WHY}}
    answers = [await stranger.get(f"{DESK}/{delivery_id}")]
    answers += [await stranger.post(f"{DESK}/{delivery_id}/{what}", body) for what, body in bodies.items()]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "delivery_not_found")}
    many = await stranger.post(f"{DESK}/retry", {"reason": WHY, "ids": [str(delivery_id)]})
    assert many.json() == {
        "retried": [],
        "refused": [{"id": str(delivery_id), "code": "delivery_not_found"}],
        "left": 0,
    }
    state = await tables.rows("SELECT state, fence FROM deliveries WHERE id = $1", delivery_id)
    assert state == [{"state": "needs_operator", "fence": 1}]
    readers = [await officers.make("agency_head"), await officers.make("auditor")]
    for reader in readers:
        assert (await reader.get(f"{DESK}/{delivery_id}")).status_code == 200
        assert (await reader.post(f"{DESK}/{delivery_id}/retry", {"reason": WHY})).status_code == 403


async def test_a_look_shows_the_tries_and_is_audited(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("operator")
    case = await hand_in(citizen)
    delivery_id = await delivery_of(tables, case)
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id)
        assert held is not None
        held.said.note(
            Exchange(held.first_tried_at, "register", "POST", "/x", "failed", 500, 0.25, citizen.person.nik, "Oops")
        )
        said = sealed(held.said, held.row, (), product.cases)
        await settle_case(connection, held, Outcome(state="queued", retry_in_s=600, attempt="unavailable", said=said))
    detail = (await officer.get(f"{DESK}/{delivery_id}")).json()
    [attempt] = detail["attempts"]
    assert (attempt["outcome"], attempt["http_status"], attempt["calls"]) == ("unavailable", 500, 1)
    [exchange] = attempt["exchanges"]
    assert (exchange["answered"], exchange["duration_ms"]) == ("Oops", 250)
    assert citizen.person.nik not in str(detail)
    assert detail["next_try_at"] is not None
    audited = await tables.rows(
        "SELECT actor_kind, actor_id, subject_id FROM audit_rows WHERE object_id = $1 AND action = 'delivery.read'",
        str(delivery_id),
    )
    assert audited == [{"actor_kind": "officer", "actor_id": str(officer.id), "subject_id": citizen.id}]


async def test_retried_it_is_looked_up_before_anything_is_sent(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("operator")
    case, delivery_id = await before_officer(product, tables, citizen)
    await tables.run("UPDATE pgqueuer SET status = 'failed' WHERE dedupe_key = $1", str(delivery_id))
    answer = await officer.post(f"{DESK}/{delivery_id}/retry", {"reason": f"{WHY} NIK {citizen.person.nik}"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["unknown"]) == ("delivering", True)
    [action] = answer.json()["actions"]
    assert (action["action"], action["reason"]) == ("retry", f"{WHY} NIK {citizen.person.nik}")
    jobs = await tables.rows("SELECT status::text FROM pgqueuer WHERE dedupe_key = $1", str(delivery_id))
    assert jobs == [{"status": "queued"}]
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id)
    assert held is not None
    assert (held.unknown, held.attempts, held.surprises) == (True, 1, 0)
    told = await shown(case, citizen)
    assert [event["kind"] for event in told["timeline"]] == ["submitted", "with_officer", "tried_again"]
    [why] = await tables.rows(
        "SELECT purpose FROM audit_rows WHERE object_id = $1 AND action = 'delivery.retry'", str(delivery_id)
    )
    assert why["purpose"] == told["service"]
    again = await officer.post(f"{DESK}/{delivery_id}/retry", {"reason": WHY})
    assert (again.status_code, again.json()["code"]) == (409, "delivery_under_way")


async def said_by_two(officers: Officers, first: OfficerAtWork, url: str, body: dict[str, Any]) -> httpx.Response:
    """One officer's word changes nothing but that it stands there; another's, who says the same, makes it count."""
    proposed = await first.post(url, body)
    assert proposed.status_code == 200, proposed.text
    told = proposed.json()
    assert (told["state"] in ENDED, told["proposal"]["officer"]) == (False, first.name)
    assert (await first.post(url, body)).json()["state"] not in ENDED, "twice by one is not by two"
    second = await officers.make("supervisor", first.agency or "dpmptsp")
    return await second.post(url, body)


async def test_two_officers_have_to_say_the_same(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    first, second = await officers.make("operator"), await officers.make("supervisor")
    _, delivery_id = await before_officer(product, tables, await people.make())
    url = f"{DESK}/{delivery_id}/resolve"
    await first.post(url, {**AS_DELIVERED, "reference": "0000911201112026"})
    other = await second.post(url, {**AS_DELIVERED, "reference": "0000912201112026"})
    assert (other.json()["state"], other.json()["proposal"]["officer"]) == ("needs_operator", second.name)
    refused = await first.post(url, {"outcome": "rejected", "reason": WHY})
    assert (refused.json()["state"], refused.json()["proposal"]["outcome"]) == ("needs_operator", "rejected")
    assert (await first.post(f"{DESK}/{delivery_id}/retry", {"reason": WHY})).json()["proposal"] is None
    stranger = await officers.make("supervisor", "dinkes")
    assert (await stranger.post(url, {"outcome": "rejected", "reason": WHY})).status_code == 404
    actions = (await first.get(f"{DESK}/{delivery_id}")).json()["actions"]
    assert [each["action"] for each in actions] == [
        "propose_delivered",
        "propose_delivered",
        "propose_rejected",
        "retry",
    ]


async def test_resolved_as_delivered_with_the_agencys_number(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("supervisor")
    other, _ = await before_officer(product, tables, await people.make())
    await tables.run("UPDATE cases SET agency_reference = '0000901201112026' WHERE id = $1", UUID(other["id"]))
    case, delivery_id = await before_officer(product, tables, citizen)
    url = f"{DESK}/{delivery_id}/resolve"
    lacks = await officer.post(url, {"outcome": "delivered", "reason": WHY})
    assert (lacks.status_code, lacks.json()["errors"][0]["pointer"]) == (422, "/reference")
    taken = await officer.post(url, {"outcome": "delivered", "reason": WHY, "reference": "0000901201112026"})
    assert (taken.status_code, taken.json()["code"]) == (409, "reference_taken")
    assert (await tables.value("SELECT count(*) FROM delivery_actions WHERE delivery_id = $1", delivery_id)) == 0
    done = await said_by_two(officers, officer, url, {**AS_DELIVERED, "reference": "0000902201112026"})
    assert (done.status_code, done.json()["state"]) == (200, "delivered")
    told = await shown(case, citizen)
    assert (told["delivery"]["state"], told["delivery"]["reference"]) == ("delivered", "0000902201112026")
    assert told["timeline"][-1]["kind"] == "delivered"
    assert await tables.value("SELECT next_refresh_at FROM cases WHERE id = $1", UUID(case["id"])) is not None
    twice = await officer.post(url, {"outcome": "delivered", "reason": WHY, "reference": "0000903201112026"})
    assert (twice.status_code, twice.json()["code"]) == (409, "delivery_settled")


async def test_resolved_as_rejected_the_citizen_is_told_why(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("operator")
    case, delivery_id = await before_officer(product, tables, citizen)
    words = "Lokasi di luar wilayah kota."
    url = f"{DESK}/{delivery_id}/resolve"
    done = await said_by_two(officers, officer, url, {"outcome": "rejected", "reason": words})
    assert done.status_code == 200, done.text
    told = await shown(case, citizen)
    assert (told["status"], told["delivery"]["state"]) == ("rejected", "rejected")
    assert words in told["timeline"][-1]["text"]
    inbox = (await citizen.get("/v1/inbox")).json()["items"]
    assert words in inbox[0]["text"]


async def test_sent_again_because_an_officer_knows_that_nothing_is_there(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("operator")
    case, delivery_id = await before_officer(product, tables, citizen)
    done = await officer.post(f"{DESK}/{delivery_id}/resolve", {"outcome": "send_again", "reason": WHY})
    assert (done.json()["state"], done.json()["unknown"]) == ("queued", False)
    assert (await shown(case, citizen))["delivery"]["state"] == "queued"
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id)
    assert held is not None
    assert held.unknown is False


async def test_a_worker_that_still_believes_in_its_claim_writes_nothing_after_an_officer(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("operator")
    case = await hand_in(citizen)
    delivery_id = await delivery_of(tables, case)
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id)
    assert held is not None
    busy = await officer.post(f"{DESK}/{delivery_id}/resolve", {"outcome": "rejected", "reason": WHY})
    assert (busy.status_code, busy.json()["code"]) == (409, "delivery_under_way")
    await tables.run("UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE id = $1", delivery_id)
    url = f"{DESK}/{delivery_id}/resolve"
    ended = await said_by_two(officers, officer, url, {"outcome": "rejected", "reason": WHY})
    assert ended.status_code == 200
    async with product.database.connection() as connection:
        with pytest.raises(Stale):
            await settle_case(connection, held, Outcome(state="delivered", reference="0000904201112026"))
    assert (await shown(case, citizen))["status"] == "rejected"
    outcomes = [each["outcome"] for each in (await officer.get(f"{DESK}/{delivery_id}")).json()["attempts"]]
    assert outcomes == ["interrupted"]


async def test_a_number_given_twice_is_not_simply_tried_again(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    officer = await officers.make("operator")
    taken, _ = await before_officer(product, tables, await people.make())
    await tables.run("UPDATE cases SET agency_reference = '0000905201112026' WHERE id = $1", UUID(taken["id"]))
    case = await hand_in(await people.make())
    delivery_id = await delivery_of(tables, case)
    await ended_as(product, delivery_id, Outcome(state="delivered", reference="0000905201112026"))
    refused = await officer.post(f"{DESK}/{delivery_id}/retry", {"reason": WHY})
    assert (refused.status_code, refused.json()["code"]) == (409, "delivery_needs_decision")
    resolved = await officer.post(
        f"{DESK}/{delivery_id}/resolve", {"outcome": "delivered", "reason": WHY, "reference": "0000906201112026"}
    )
    assert resolved.status_code == 200


async def test_a_wrong_number_is_corrected_where_asking_after_found_it(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    citizen, officer = await people.make(), await officers.make("operator")
    case = await hand_in(citizen)
    await ended_as(product, await delivery_of(tables, case), Outcome(state="delivered", reference="0000907201112026"))
    error = OutcomeUnknown("sicantik", "track", "two registrations bear this number", code="number_collision")
    for expected in (True, False):
        async with product.database.begin() as connection:
            assert await put_before_officer(connection, UUID(case["id"]), error) is expected
    [item] = (await officer.get(DESK, case=case["number"], state="needs_operator")).json()["items"]
    assert (item["operation"], item["reason"]) == ("follow", "number_collision")
    assert (await officer.post(f"{DESK}/{item['id']}/retry", {"reason": WHY})).status_code == 200
    fixed = {"outcome": "delivered", "reason": WHY, "reference": "0000908201112026"}
    assert (await said_by_two(officers, officer, f"{DESK}/{item['id']}/resolve", fixed)).json()["state"] == "delivered"
    told = await shown(case, citizen)
    assert told["delivery"]["reference"] == "0000908201112026"
    assert [event["kind"] for event in told["timeline"]][-2:] == ["being_checked", "reference_corrected"]


async def test_many_at_once_each_by_itself(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    await tables.run("UPDATE deliveries SET state = 'rejected' WHERE state = 'needs_operator'")
    officer = await officers.make("city_admin")
    waiting = [(await before_officer(product, tables, await people.make()))[1] for _ in range(3)]
    await tables.run("UPDATE deliveries SET reason = 'reference_taken' WHERE id = $1", waiting[1])
    asked = {"reason": WHY, "backend": "sicantik"}
    done = (await officer.post(f"{DESK}/retry", asked)).json()
    assert done["retried"] == [str(waiting[0]), str(waiting[2])]
    assert done["refused"] == [{"id": str(waiting[1]), "code": "delivery_needs_decision"}]
    assert done["left"] == 1
    named = (await officer.post(f"{DESK}/retry", {"reason": WHY, "ids": [str(waiting[1]), str(uuid4())]})).json()
    assert sorted(each["code"] for each in named["refused"]) == ["delivery_needs_decision", "delivery_not_found"]
    nothing = (await officer.post(f"{DESK}/retry", {"reason": WHY})).json()
    assert nothing == {"retried": [], "refused": [], "left": 0}


async def test_parked_jobs_are_seen_and_run_again(people: People, officers: Officers, tables: Tables) -> None:
    admin, operator = await officers.make("city_admin"), await officers.make("operator")
    payload = msgspec.json.encode({"outgoing_id": str(uuid4())})
    job = await tables.value(
        "INSERT INTO pgqueuer (priority, entrypoint, payload, status) VALUES (0, 'inbox.send', $1, 'failed') "
        "RETURNING id",
        payload,
    )
    assert (await operator.get("/v1/officer/jobs")).status_code == 403
    assert job in [each["id"] for each in (await admin.get("/v1/officer/jobs")).json()["items"]]
    assert (await admin.post(f"/v1/officer/jobs/{job}/retry", {"reason": WHY})).status_code == 204
    assert await tables.value("SELECT status::text FROM pgqueuer WHERE id = $1", job) == "queued"
    assert (await admin.post(f"/v1/officer/jobs/{job}/retry", {"reason": WHY})).status_code == 404


async def test_a_parked_job_whose_place_was_taken_is_not_queued_twice(officers: Officers, tables: Tables) -> None:
    admin, key = await officers.make("city_admin"), str(uuid4())
    add = """
    INSERT INTO pgqueuer (priority, entrypoint, payload, status, dedupe_key)
    VALUES (0, 'inbox.send', $1, $2::text::pgqueuer_status, $3) RETURNING id
    """
    payload = msgspec.json.encode({"outgoing_id": str(uuid4())})
    job = await tables.value(add, payload, "failed", key)
    await tables.value(add, payload, "queued", key)
    answer = await admin.post(f"/v1/officer/jobs/{job}/retry", {"reason": WHY})
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_parked")


async def test_what_a_worker_died_over_is_looked_for_before_it_is_sent_again(
    product: Product, people: People, officers: Officers, tables: Tables
) -> None:
    """An officer's retry may come before any worker's: the delivery does not say yet that it may have arrived."""
    delivery_id = await delivery_of(tables, await hand_in(await people.make()))
    async with product.database.connection() as connection:
        assert await claim(connection, delivery_id) is not None
    await tables.run("UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE id = $1", delivery_id)
    officer = await officers.make("operator")
    answer = await officer.post(f"{DESK}/{delivery_id}/retry", {"reason": WHY})
    assert answer.status_code < 300, answer.text
    [row] = await tables.rows("SELECT state, unknown FROM deliveries WHERE id = $1", delivery_id)
    assert (row["state"], row["unknown"]) == ("delivering", True)
