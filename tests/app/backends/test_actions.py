"""What operators decide: kept in PostgreSQL, audited, known to every process, with or without Valkey."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.backends import actions, controls
from app.backends.actions import Plan
from app.backends.controls import Controls
from app.database import Database, utc_now
from app.errors import Conflict, NotFound, Unprocessable
from app.valkey import Valkey
from tests.harness.waiting import start_hearing, until

NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
async def knowing(database: Database, valkey_url: str) -> AsyncIterator[Controls]:
    """The controls of a process that hears of news by Valkey."""
    valkey = Valkey(valkey_url)
    known = Controls(database, valkey)
    await start_hearing(valkey)
    await known.open()
    yield known
    await known.close()
    await valkey.close()


async def until_known(known: Controls, backend: str, *, on: bool) -> None:
    await until(lambda: (known.maintenance(backend, "any") is not None) is on)


async def test_a_pause_holds_until_it_is_resumed(database: Database, knowing: Controls) -> None:
    async with database.begin() as connection:
        paused = await actions.pause(connection, "pausing", "server pindah", "officer-1")
    await knowing.announce()
    await until_known(knowing, "pausing", on=True)
    assert paused.ends_at is None
    async with database.begin() as connection:
        with pytest.raises(Conflict, match="paused_already"):
            await actions.pause(connection, "pausing", "lagi", "officer-1")
    async with database.begin() as connection:
        await actions.resume(connection, "pausing", "officer-1")
    await knowing.announce()
    await until_known(knowing, "pausing", on=False)
    async with database.begin() as connection:
        with pytest.raises(NotFound, match="maintenance_unknown"):
            await actions.resume(connection, "pausing", "officer-1")
        assert not [each for each in await actions.list_maintenance(connection) if each.backend == "pausing"]


async def test_without_valkey_it_is_known_by_looking(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "POLL_S", 0.1)
    valkey = Valkey(NOWHERE)
    known = Controls(database, valkey)
    await known.open()
    async with database.begin() as connection:
        await actions.pause(connection, "unheard", "jaringan", "officer-1")
    await until_known(known, "unheard", on=True)
    await known.close()
    await valkey.close()


async def test_a_window_concerns_its_service_alone_and_tells_its_times(database: Database, knowing: Controls) -> None:
    now = utc_now()
    async with database.begin() as connection:
        on = Plan(backend="planned", service="reklame", ends_at=now + timedelta(hours=2), reason="basis data")
        await actions.plan_maintenance(connection, on, "officer-1")
        later = Plan(
            backend="planned", starts_at=now + timedelta(days=1), ends_at=now + timedelta(days=2), reason="listrik"
        )
        await actions.plan_maintenance(connection, later, "officer-1")
    await knowing.look()
    standing = knowing.maintenance("planned", "reklame")
    assert standing is not None
    assert standing.ends_at == on.ends_at
    assert 7100 < standing.left_s <= 7200
    assert knowing.maintenance("planned", "penelitian") is None
    assert knowing.maintenance("another", "reklame") is None
    to_come = knowing.planned(["planned"], "penelitian")
    assert to_come is not None
    assert (to_come.is_on, to_come.starts_at) == (False, later.starts_at)
    assert knowing.planned(["planned", "another"], "penelitian") is None


async def test_what_has_not_begun_can_be_called_off(database: Database, knowing: Controls) -> None:
    now = utc_now()
    plan = Plan(backend="off", starts_at=now + timedelta(days=1), ends_at=now + timedelta(days=2), reason="batal")
    async with database.begin() as connection:
        window = await actions.plan_maintenance(connection, plan, "officer-1")
        await actions.end_maintenance(connection, window.id, "officer-1")
    await knowing.look()
    assert knowing.planned(["off"], "any") is None


@pytest.mark.parametrize(
    "plan",
    [
        Plan(ends_at=None, reason="apa"),
        Plan(backend="x", ends_at=None, reason=""),
        Plan(backend="x", ends_at=None, reason="x" * 501),
        Plan(backend="x", starts_at=utc_now(), ends_at=utc_now() - timedelta(hours=1), reason="mundur"),
    ],
)
async def test_a_plan_without_sense_is_refused(database: Database, plan: Plan) -> None:
    async with database.begin() as connection:
        before = await actions.list_maintenance(connection)
        with pytest.raises(Unprocessable):
            await actions.plan_maintenance(connection, plan, "officer-1")
        assert await actions.list_maintenance(connection) == before


async def test_a_breaker_held_by_hand_is_known_after_a_restart(database: Database, knowing: Controls) -> None:
    async with database.begin() as connection:
        await actions.hold_breaker(connection, ("held", ""), "open", "bocor", "officer-1")
        await actions.hold_breaker(connection, ("held", "read"), "closed", "hanya baca", "officer-1")
    restarted = Controls(database, Valkey(NOWHERE))
    await restarted.look()
    assert restarted.held("held", "write") == "open"
    assert restarted.held("held", "read") == "closed", "an operation's own word goes before its backend's"
    assert restarted.held("other", "read") is None
    async with database.begin() as connection:
        await actions.hold_breaker(connection, ("held", ""), "auto", "baik lagi", "officer-1")
        standing = [each for each in await actions.held_breakers(connection) if each.backend == "held"]
    assert [(each.operation, each.state, each.officer) for each in standing] == [("read", "closed", "officer-1")]


async def test_every_decision_is_audited(database: Database) -> None:
    async with database.begin() as connection:
        await actions.pause(connection, "audited", "alasan", "officer-7")
        await actions.resume(connection, "audited", "officer-7")
        await actions.hold_breaker(connection, ("audited", "read"), "open", "alasan", "officer-7")
    rows = await database.fetch("SELECT action, purpose FROM audit_rows WHERE object_id LIKE 'audited%' ORDER BY id")
    assert [(row["action"], row["purpose"]) for row in rows] == [
        ("maintenance.planned", "alasan"),
        ("maintenance.ended", "alasan"),
        ("breaker.open", "alasan"),
    ]
    assert {row["actor_kind"] for row in await database.fetch("SELECT actor_kind FROM audit_rows")} == {"officer"}
