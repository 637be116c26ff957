"""Case, first event, audit row, delivery and job commit together or not at all, whichever of them fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from app.cases.handover import DeliveryJob
from app.database import Database
from app.ids import uuid7
from app.jobs import driver_connection, enqueue
from tests.harness.cases import SERVICE, advertising, new_key, send_pdf
from tests.harness.people import Citizen
from tests.harness.tables import Tables, grown

PARTS = ["cases", "case_events", "audit_rows", "deliveries", "pgqueuer", "idempotency_keys"]


@asynccontextmanager
async def failing(tables: Tables, table: str, when: str = "BEFORE INSERT", how: str = "") -> AsyncIterator[None]:
    """Every insert into the table fails: at once, or (`CONSTRAINT`, deferred) only when the transaction commits."""
    await tables.run(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$"
    )
    await tables.run(f"CREATE {how} TRIGGER fail {when} ON {table} {_DEFERRED if how else ''} FOR EACH ROW {_CALL}")
    try:
        yield
    finally:
        await tables.run(f"DROP TRIGGER fail ON {table}")


_CALL = "EXECUTE FUNCTION fail()"
_DEFERRED = "DEFERRABLE INITIALLY DEFERRED"


@pytest.mark.parametrize("part", PARTS)
async def test_when_one_part_fails_nothing_is_stored(citizen: Citizen, tables: Tables, part: str) -> None:
    form = advertising(await send_pdf(citizen))
    before = await tables.counts()
    async with failing(tables, part):
        answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "no" not in answer.json()["detail"].split()
    assert grown(before, await tables.counts()) == {}
    loose = await tables.value("SELECT case_id FROM attachments WHERE id = $1", UUID(str(form["documents"])))
    assert loose is None


@pytest.mark.parametrize("part", ["cases", "deliveries", "audit_rows"])
async def test_a_commit_that_fails_is_no_success(citizen: Citizen, tables: Tables, part: str) -> None:
    """The answer leaves after the commit: a client is never told of a case that is not there."""
    form = advertising(await send_pdf(citizen))
    before = await tables.counts()
    async with failing(tables, part, "AFTER INSERT", "CONSTRAINT"):
        answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
    assert answer.status_code == 500
    assert grown(before, await tables.counts()) == {}


async def test_a_draft_whose_handing_in_fails_stays_a_draft(citizen: Citizen, tables: Tables) -> None:
    body = {"service": SERVICE, "form": advertising(await send_pdf(citizen)), "draft": True}
    case = (await citizen.post("/v1/cases", body, key=new_key())).json()
    before = await tables.counts()
    async with failing(tables, "pgqueuer"):
        answer = await citizen.post(case["links"]["submit"], None)
    assert answer.status_code == 500
    assert grown(before, await tables.counts()) == {}
    shown = (await citizen.get(case["links"]["self"])).json()
    assert (shown["status"], shown["delivery"], len(shown["timeline"])) == ("draft", None, 1)
    assert (await citizen.post(case["links"]["submit"], None)).status_code == 202


async def test_a_key_whose_first_request_failed_can_be_used_again(citizen: Citizen, tables: Tables) -> None:
    body, key = {"service": SERVICE, "form": advertising(await send_pdf(citizen))}, new_key()
    async with failing(tables, "deliveries"):
        first = await citizen.post("/v1/cases", body, key=key)
    second = await citizen.post("/v1/cases", body, key=key)
    assert (first.status_code, second.status_code) == (500, 202)
    assert "idempotency-replayed" not in second.headers


async def test_a_job_enqueued_first_goes_with_its_transaction(postgres_url: str, tables: Tables) -> None:
    """SQLAlchemy begins its transaction late: a job sent on the raw connection before that would survive."""
    # The owner's: who serves may make no tables.
    database = Database(postgres_url, pool_size=1, name="test")
    before = await tables.counts()
    with pytest.raises(ZeroDivisionError):
        await _enqueue_and_fail(database)
    with pytest.raises(ZeroDivisionError):
        await _create_and_fail(database)
    await database.close()
    assert grown(before, await tables.counts()) == {}
    assert await tables.value("SELECT to_regclass('survived')") is None


async def _enqueue_and_fail(database: Database) -> None:
    async with database.transaction() as session:
        await enqueue(session, "deliver.nobody", DeliveryJob(uuid7()))
        raise ZeroDivisionError


async def _create_and_fail(database: Database) -> None:
    async with database.transaction() as session:
        await (await driver_connection(session)).execute("CREATE TABLE survived (id int)")
        raise ZeroDivisionError
