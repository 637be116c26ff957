"""The breaker of an operation: what two processes find out they share, with and without Valkey."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.backends import actions
from app.backends import breaker as breakers
from app.backends.breaker import Breaker, Breakers, Pass, Shut
from app.backends.breaker_scripts import LONGEST_PAUSE_S
from app.backends.controls import Controls
from app.database import Database
from app.manifest import OperationPolicy
from app.valkey import Valkey
from tests.harness.calling import NOWHERE, new_name
from tests.harness.waiting import start_hearing, until

POLICY = OperationPolicy(safe=True, breaker_failures=3, breaker_pause_s=0.3, breaker_longest_pause_s=1.2)


@asynccontextmanager
async def processes(database: Database, valkey_url: str, how_many: int = 2) -> AsyncIterator[list[Breakers]]:
    """As many processes as asked: each knows of the others through Valkey alone."""
    valkeys = [Valkey(valkey_url) for _ in range(how_many)]
    opened = []
    for valkey in valkeys:
        controls = Controls(database, valkey)
        opened.append(Breakers(controls, valkey))
        await controls.look()
        if valkey_url != NOWHERE:
            await start_hearing(valkey)
    try:
        yield opened
    finally:
        for valkey in valkeys:
            await valkey.close()


def of(each: Breakers, name: str, operation: str = "read") -> Breaker:
    return each.of(name, operation, POLICY)


async def shut(breaker: Breaker, failures: int = POLICY.breaker_failures) -> None:
    for _ in range(failures):
        await breaker.failed("free")


async def let_in(breaker: Breaker) -> Pass:
    """As soon as somebody is let in."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await breaker.enter()
            except Shut as refused:
                await asyncio.sleep(min(refused.wait_s, 0.05))


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_it_opens_after_failures_in_a_row_and_not_before(
    database: Database, valkey_url: str, valkey: str
) -> None:
    async with processes(database, valkey_url if valkey == "up" else NOWHERE, 1) as [one]:
        breaker = of(one, new_name())
        await shut(breaker, 2)
        await breaker.answered(await breaker.enter())
        await shut(breaker, 2)
        assert await breaker.enter() == "free"
        await breaker.failed("free")
        with pytest.raises(Shut):
            await breaker.enter()


FLAPPING = (False, False, False, True, True)


async def flap(breaker: Breaker, times: int) -> None:
    for turn in range(times):
        await (breaker.answered("free") if FLAPPING[turn % len(FLAPPING)] else breaker.failed("free"))


def lenient(each: Breakers, name: str) -> Breaker:
    """Never opened by failures in a row of those who flap."""
    return each.of(name, "read", OperationPolicy(safe=True, breaker_failures=10, breaker_pause_s=30))


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_it_opens_when_a_share_of_the_last_calls_failed(database: Database, valkey_url: str, valkey: str) -> None:
    async with processes(database, valkey_url if valkey == "up" else NOWHERE, 1) as [one]:
        breaker = lenient(one, new_name())
        await flap(breaker, 9)
        assert await breaker.enter() == "free", "of nine calls nothing is judged"
        await flap(breaker, 2)
        with pytest.raises(Shut):
            await breaker.enter()
        [state] = await one.states()
        assert (state.state, state.why, state.failed, state.calls) == ("open", "share", 7, 10)
        # That some calls work was known: one that was under way says nothing new.
        await breaker.answered("free")
        with pytest.raises(Shut):
            await breaker.enter()
        await breaker.answered("probe")
        assert await breaker.enter() == "free"
        assert [(state.state, state.why) for state in await one.states()] == [("closed", None)]
        await flap(breaker, 3)
        assert await breaker.enter() == "free", "what was before is forgotten"


async def test_a_share_is_of_all_processes_calls(database: Database, valkey_url: str) -> None:
    name = new_name()
    async with processes(database, valkey_url, 3) as all_of_them:
        for each in all_of_them:
            await flap(lenient(each, name), 6)
        for each in all_of_them:
            await until(lambda each=each: not lenient(each, name).is_plain)  # type: ignore[misc] # bound on purpose


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_a_few_failures_among_many_calls_open_nothing(database: Database, valkey_url: str, valkey: str) -> None:
    async with processes(database, valkey_url if valkey == "up" else NOWHERE, 1) as [one]:
        breaker = lenient(one, new_name())
        for _ in range(60):
            await breaker.answered("free")
        for _ in range(9):
            await breaker.failed("free")
        for _ in range(40):
            await breaker.answered("free")
            await breaker.answered("free")
            await breaker.failed("free")
        assert await breaker.enter() == "free"


async def test_what_was_longer_ago_is_not_judged(database: Database, valkey_url: str) -> None:
    policy = OperationPolicy(safe=True, breaker_failures=10, breaker_calls=8, breaker_window_s=1)
    async with processes(database, valkey_url, 1) as [one]:
        breaker = one.of(new_name(), "read", policy)
        await flap(breaker, 7)
        await asyncio.sleep(policy.breaker_window_s * 1.2)
        await flap(breaker, 7)
        assert await breaker.enter() == "free"


async def test_failures_of_all_processes_count_together(database: Database, valkey_url: str) -> None:
    name = new_name()
    async with processes(database, valkey_url, 3) as all_of_them:
        for each in all_of_them:
            await of(each, name).failed("free")
        for each in all_of_them:
            await until(lambda each=each: not of(each, name).is_plain)  # type: ignore[misc] # bound on purpose


async def test_one_operation_alone_is_shut(database: Database, valkey_url: str) -> None:
    name = new_name()
    async with processes(database, valkey_url, 1) as [one]:
        await shut(of(one, name))
        assert await of(one, name, "write").enter() == "free"


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_one_probe_at_a_time_over_all_processes(database: Database, valkey_url: str, valkey: str) -> None:
    name = new_name()
    how_many = 3 if valkey == "up" else 1
    async with processes(database, valkey_url if valkey == "up" else NOWHERE, how_many) as all_of_them:
        known = [of(each, name) for each in all_of_them]
        await shut(known[0])
        await until(lambda: not any(each.is_plain for each in known))
        probe, holder = None, None
        for each in known * 50:
            try:
                probe, holder = await each.enter(), each
                break
            except Shut as refused:
                await asyncio.sleep(min(refused.wait_s, 0.05))
        assert probe == "probe"
        for each in known * 3:
            with pytest.raises(Shut):
                await each.enter()
        assert holder is not None
        await holder.answered(probe)
        await until(lambda: all(each.is_plain for each in known))


async def test_the_next_one_tries_where_the_probe_learned_nothing(database: Database, valkey_url: str) -> None:
    name = new_name()
    async with processes(database, valkey_url) as (one, other):
        await shut(of(one, name))
        await until(lambda: not of(other, name).is_plain)
        await of(one, name).step_back(await let_in(of(one, name)))
        assert await let_in(of(other, name)) == "probe"


async def test_a_probe_whose_process_died_is_followed_by_another(
    database: Database, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "PROBE_S", 0.5)
    name = new_name()
    async with processes(database, valkey_url) as (killed, other):
        await shut(of(killed, name))
        await until(lambda: not of(other, name).is_plain)
        assert await let_in(of(killed, name)) == "probe"
        assert await let_in(of(other, name)) == "probe"


@pytest.mark.parametrize("valkey", ["up", "down"])
async def test_pauses_grow_up_to_the_longest(database: Database, valkey_url: str, valkey: str) -> None:
    async with processes(database, valkey_url if valkey == "up" else NOWHERE, 1) as [one]:
        breaker = of(one, new_name())
        await shut(breaker)
        pauses = [breaker.wait_s]
        for _ in range(4):
            await breaker.failed(await let_in(breaker))
            pauses.append(breaker.wait_s)
    assert pauses[0] <= 0.34
    assert pauses[0] < pauses[1] < pauses[2]
    assert max(pauses) <= POLICY.breaker_longest_pause_s * 1.11


@pytest.mark.parametrize(("asked_s", "least_s", "most_s"), [(7, 6.5, 8), (100_000, 55, 67)])
async def test_what_the_agency_asks_for_is_given_within_reason(
    database: Database, valkey_url: str, asked_s: float, least_s: float, most_s: float
) -> None:
    async with processes(database, valkey_url, 1) as [one]:
        breaker = of(one, new_name())
        await breaker.failed("free", asked_s)
        assert least_s < breaker.wait_s < most_s


async def test_held_by_hand_whatever_it_sees_itself(database: Database) -> None:
    name = new_name()
    async with database.begin() as connection:
        await actions.hold_breaker(connection, (name, "read"), "open", "bocor", "officer-1")
        await actions.hold_breaker(connection, (name, "write"), "closed", "harus", "officer-1")
    async with processes(database, NOWHERE, 1) as [one]:
        with pytest.raises(Shut):
            await of(one, name).enter()
        await shut(of(one, name, "write"))
        for _ in range(5):
            assert await of(one, name, "write").enter() == "held"
        states = {state.operation: state for state in await one.states()}
    async with database.begin() as connection:
        for operation in ("read", "write"):
            await actions.hold_breaker(connection, (name, operation), "auto", "selesai", "officer-1")
    assert (states["read"].state, states["read"].held, states["read"].shared) == ("open", "open", False)
    assert (states["write"].state, states["write"].held) == ("closed", "closed")


async def test_states_are_told_as_all_processes_have_them(database: Database, valkey_url: str) -> None:
    name = new_name()
    async with processes(database, valkey_url) as (one, other):
        of(other, name)
        await shut(of(one, name))
        [told] = await other.states()
    assert (told.backend, told.operation, told.state, told.failures, told.shared) == (name, "read", "open", 3, True)
    assert 0 < told.opens_in_s <= 0.31
    assert (told.why, told.failed, told.calls) == ("in_a_row", 3, 3)


async def test_a_flushed_valkey_is_as_one_that_forgot(database: Database, valkey_url: str) -> None:
    """Nobody waits for what nobody knows any more; one call finds out, the others of that process do not join it."""
    async with processes(database, valkey_url, 1) as [one]:
        breaker = of(one, new_name())
        await shut(breaker)
        await one._valkey.run_script("return redis.call('DEL', KEYS[1])", [breaker.key], [])
        assert await let_in(breaker) == "probe"
        with pytest.raises(Shut):
            await breaker.enter()


async def test_what_works_costs_no_call_to_valkey(database: Database) -> None:
    async with processes(database, NOWHERE, 1) as [one]:
        breaker = of(one, new_name())
        started = time.monotonic()
        for _ in range(2000):
            assert breaker.is_plain
            await breaker.answered("free")
        assert time.monotonic() - started < 1
        assert one._valkey._connecting is None, "it was asked"


@pytest.mark.parametrize("who", ["here", "elsewhere"])
async def test_an_operator_has_it_tried_now(database: Database, valkey_url: str, who: str) -> None:
    name = new_name()
    slow = OperationPolicy(safe=True, breaker_failures=3, breaker_pause_s=60)
    async with processes(database, valkey_url) as (one, other):
        told: list[str] = []
        one.when_back(told.append)
        breakers_of_it = [each.of(name, "read", slow) for each in (one, other)]
        of(one, name, "write")
        await shut(breakers_of_it[0])
        await until(lambda: not any(each.is_plain for each in breakers_of_it))
        with pytest.raises(Shut):
            await breakers_of_it[0].enter()
        assert await (one if who == "here" else other).hasten(name) == ["read"]
        await until(lambda: told == [name])
        assert await let_in(breakers_of_it[0]) == "probe", "one finds out, nobody follows before that"
        with pytest.raises(Shut):
            await breakers_of_it[1].enter()


@pytest.mark.parametrize("which", [0, 1])
async def test_who_waits_hears_of_the_end_of_a_long_outage(
    database: Database, valkey_url: str, which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "LONG_OUTAGE_S", 0.2)
    name = new_name()
    async with processes(database, valkey_url) as both:
        told: list[str] = []
        both[which].when_back(told.append)
        await shut(of(both[0], name))
        await until(lambda: not of(both[1], name).is_plain)
        await of(both[0], name).answered(await let_in(of(both[0], name)))
        await until(lambda: told == [name])


async def test_a_long_pause_is_kept_and_not_forgotten_before_its_end(database: Database, valkey_url: str) -> None:
    async with processes(database, valkey_url, 1) as [one]:
        breaker = of(one, new_name())
        await shut(breaker)
        three_days = "return redis.call('HINCRBY', KEYS[1], 'since', -3 * 86400 * 1000)"
        pause = "return redis.call('HSET', KEYS[1], 'pause', 120000)"
        probe = await let_in(breaker)
        for script in (three_days, pause):
            await one._valkey.run_script(script, [breaker.key], [])
        await breaker.failed(probe)
        assert 119 < breaker.wait_s <= LONGEST_PAUSE_S * 1.1
        breaker._opens_at = 0.0
        with pytest.raises(Shut):
            await breaker.enter()
        kept_s = await one._valkey.run_script("return redis.call('TTL', KEYS[1])", [breaker.key], [])
        assert isinstance(kept_s, int)
        assert kept_s > 2 * LONGEST_PAUSE_S
