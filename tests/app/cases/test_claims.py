"""Claims, settling and sweeping, driven one by one: who may write, who must wait, what a lost job costs."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.assembly import Product
from app.cases.claims import Busy, Claim, Outcome, Stale, claim, given_to_others, settle
from app.cases.handover import DeliveryJob
from app.cases.settle import settle_case
from app.cases.sweep import purge_cases, sweep_deliveries
from app.database import driver_url
from tests.harness.cases import hand_in, send_pdf
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables

DELIVERED = Outcome(state="delivered", reference="00001012012026")


async def delivery_of(tables: Tables, case: dict[str, Any]) -> UUID:
    return UUID(str(await tables.value("SELECT id FROM deliveries WHERE case_id = $1", UUID(case["id"]))))


async def taken(product: Product, delivery_id: UUID) -> Claim:
    async with product.database.connection() as connection:
        held = await claim(connection, delivery_id)
    assert held is not None
    return held


async def settled(product: Product, held: Claim, outcome: Outcome) -> None:
    async with product.database.begin() as connection:
        await settle_case(connection, held, outcome)


async def lapse(tables: Tables, delivery_id: UUID) -> None:
    await tables.run("UPDATE deliveries SET lease_until = now() - interval '1 second' WHERE id = $1", delivery_id)


async def test_one_claim_at_a_time(product: Product, people: People, tables: Tables) -> None:
    case = await hand_in(await people.make())
    delivery_id = await delivery_of(tables, case)
    held = await taken(product, delivery_id)
    assert (held.attempts, held.fence, held.unknown) == (1, 1, False)
    with pytest.raises(Busy) as busy:
        await taken(product, delivery_id)
    assert 20 < busy.value.seconds <= 30
    await settled(product, held, DELIVERED)
    async with product.database.connection() as connection:
        assert await claim(connection, delivery_id) is None


async def test_ten_workers_at_once_one_claim(product: Product, people: People, tables: Tables) -> None:
    delivery_id = await delivery_of(tables, await hand_in(await people.make()))

    async def attempt() -> bool:
        try:
            await taken(product, delivery_id)
        except Busy:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt() for _ in range(10)))) == 1


async def test_a_stale_claim_writes_nothing(product: Product, people: People, tables: Tables) -> None:
    """A worker that slept past its lease wakes up after another has taken over: its word does not count any more."""
    citizen = await people.make()
    case = await hand_in(citizen)
    delivery_id = await delivery_of(tables, case)
    asleep = await taken(product, delivery_id)
    await lapse(tables, delivery_id)
    newer = await taken(product, delivery_id)
    assert (newer.fence, newer.unknown) == (asleep.fence + 1, True)
    for outcome in (DELIVERED, Outcome(state="rejected", reason="refused"), Outcome(state="needs_operator")):
        before = await tables.rows("SELECT * FROM cases WHERE id = $1", UUID(case["id"]))
        with pytest.raises(Stale):
            await settled(product, asleep, outcome)
        assert await tables.rows("SELECT * FROM cases WHERE id = $1", UUID(case["id"])) == before
    await settled(product, newer, Outcome(state="delivered", reference="00002012012026"))
    with pytest.raises(Stale):
        async with product.database.connection() as connection:
            await settle(connection, asleep, Outcome(state="queued"))
    shown = (await citizen.get(case["links"]["self"])).json()
    assert shown["delivery"]["reference"] == "00002012012026"
    assert [event["kind"] for event in shown["timeline"]] == ["submitted", "delivered"]


async def test_a_lane_is_for_one(product: Product, people: People, tables: Tables) -> None:
    citizen = await people.make()
    first, second = [await delivery_of(tables, await hand_in(citizen)) for _ in range(2)]
    other = await delivery_of(tables, await hand_in(await people.make()))
    held = await taken(product, first)
    with pytest.raises(Busy):
        await taken(product, second)
    await taken(product, other)
    # An unknown outcome keeps the lane: what is found over there could be either's.
    await settled(product, held, Outcome(state="delivering", unknown=True, retry_in_s=1))
    with pytest.raises(Busy):
        await taken(product, second)
    again = await taken(product, first)
    await settled(product, again, Outcome(state="delivered", reference="00003012012026"))
    assert (await taken(product, second)).attempts == 1


async def test_a_registration_belongs_to_one_case(product: Product, people: People, tables: Tables) -> None:
    one, other = [await delivery_of(tables, await hand_in(await people.make())) for _ in range(2)]
    await settled(product, await taken(product, one), Outcome(state="delivered", reference="00004012012026"))
    await settled(product, await taken(product, other), Outcome(state="delivered", reference="00004012012026"))
    states = await tables.rows("SELECT state, reason FROM deliveries WHERE id = ANY($1) ORDER BY id", [one, other])
    assert states == [{"state": "delivered", "reason": None}, {"state": "needs_operator", "reason": "reference_taken"}]


async def test_claiming_and_withdrawing_never_wait_for_each_other_in_a_circle(
    product: Product, people: People, tables: Tables, postgres_url: str
) -> None:
    """Withdrawing holds the case and then takes the delivery; claiming must take them in the same order."""
    case = await hand_in(await people.make())
    delivery_id = await delivery_of(tables, case)
    withdrawing: asyncpg.Connection[Any] = await asyncpg.connect(driver_url(postgres_url))
    try:
        async with withdrawing.transaction():
            await withdrawing.execute("SELECT 1 FROM cases WHERE id = $1 FOR UPDATE", UUID(case["id"]))
            claiming = asyncio.create_task(_claimed(product, delivery_id))
            await asyncio.sleep(0.3)
            await withdrawing.execute(
                "UPDATE deliveries SET state = 'rejected', reason = 'withdrawn' WHERE id = $1", delivery_id
            )
        assert await claiming is None
    finally:
        await withdrawing.close()


async def _claimed(product: Product, delivery_id: UUID) -> Claim | None:
    async with product.database.connection() as connection:
        return await claim(connection, delivery_id)


async def test_a_delivery_whose_job_is_gone_is_queued_again(product: Product, people: People, tables: Tables) -> None:
    for table in ("pgqueuer", "deliveries"):
        await tables.run(f"DELETE FROM {table}")
    waiting, lost, held, parked = [await delivery_of(tables, await hand_in(await people.make())) for _ in range(4)]
    await taken(product, held)
    await tables.run("UPDATE pgqueuer SET status = 'failed' WHERE dedupe_key = $1", str(parked))
    await tables.run("DELETE FROM pgqueuer WHERE dedupe_key = ANY($1)", [str(lost), str(held)])
    assert await sweep_deliveries(product.cases) == 0  # too early: a job may just be changing hands
    await tables.run(
        "UPDATE deliveries SET next_try_at = now() - interval '2 minutes', lease_until = now() - interval '2 minutes'"
    )
    assert await sweep_deliveries(product.cases) == 3
    assert await sweep_deliveries(product.cases) == 0
    jobs = await tables.rows(
        "SELECT dedupe_key, status::text, entrypoint, payload FROM pgqueuer WHERE status = 'queued'"
    )
    assert {job["dedupe_key"] for job in jobs} == {str(each) for each in (waiting, lost, held, parked)}
    assert {job["entrypoint"] for job in jobs} == {"deliver.sicantik"}
    assert all(job["dedupe_key"].encode() in job["payload"] for job in jobs)


async def test_a_job_carries_nothing_personal(people: People, tables: Tables) -> None:
    citizen = await people.make()
    case = await hand_in(citizen)
    payloads = await tables.rows("SELECT payload FROM pgqueuer WHERE dedupe_key IS NOT NULL")
    assert payloads
    assert set(DeliveryJob.__struct_fields__) == {"delivery_id", "operation"}
    joined = b"".join(row["payload"] for row in payloads)
    for private in (citizen.person.nik, citizen.person.name, citizen.person.phone, case["number"]):
        assert private.encode() not in joined


async def test_what_nobody_needs_any_more_is_removed(
    product: Product, citizen: Citizen, tables: Tables, environment: dict[str, str]
) -> None:
    kept_case = await hand_in(citizen)
    loose, fresh, gone = [await send_pdf(citizen) for _ in range(3)]
    await product.cases.files.delete(UUID(gone))  # lost already, as after a purge that was interrupted
    old = [UUID(loose), UUID(gone)]
    await tables.run("UPDATE attachments SET created_at = now() - interval '3 days' WHERE id = ANY($1)", old)
    await tables.run("UPDATE idempotency_keys SET created_at = now() - interval '7 days'")
    await purge_cases(product.cases)
    assert await tables.value("SELECT count(*) FROM idempotency_keys") > 0
    await tables.run("UPDATE idempotency_keys SET created_at = now() - interval '9 days'")
    await purge_cases(product.cases)
    assert await tables.value("SELECT count(*) FROM idempotency_keys") == 0
    statuses = [(await citizen.get(f"/v1/attachments/{each}")).status_code for each in (loose, gone, fresh)]
    assert statuses == [404, 404, 200]
    assert (await citizen.get(kept_case["links"]["self"])).json()["attachments"]


async def test_a_search_begins_where_the_sending_did(product: Product, people: People, tables: Tables) -> None:
    """What others were given well before it, and what since: all of that. What was linked by hand says not when."""
    reference_ages = {"00010012012026": 90, "00011012012026": 61, "00012012012026": 59, "00013012012026": -5}
    for reference, seconds in {**reference_ages, "99999012012026": 120}.items():
        by_hand = "by_officer" if reference.startswith("9") else None
        delivery_id = await delivery_of(tables, await hand_in(await people.make()))
        await settled(product, await taken(product, delivery_id), Outcome(state="delivered", reference=reference))
        await tables.run(
            "UPDATE deliveries SET finished_at = now() - $2 * interval '1 second', reason = $3 WHERE id = $1",
            delivery_id,
            seconds,
            by_hand,
        )
    delivery_id = await delivery_of(tables, await hand_in(await people.make()))
    held = await taken(product, delivery_id)
    async with product.database.connection() as connection:
        given = await given_to_others(connection, held)
        sent_at = await connection.fetchval("SELECT sent_at FROM deliveries WHERE id = $1", delivery_id)
    before, since = set(given.before), set(given.since)
    assert given.sent_at == sent_at
    assert before & reference_ages.keys() == {"00010012012026", "00011012012026"}
    assert since >= {"00012012012026", "00013012012026"}
    assert "99999012012026" not in before | since
    await settled(product, held, Outcome(state="delivered", reference="00014012012026"))
