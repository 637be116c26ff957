"""The door before a backend: one probe while it is down, everybody once it is back."""

import asyncio
import time

import pytest

from app.cases.gates import FIRST_PAUSE_S, LONGEST_PAUSE_S, Gate, Pass

AT_ONCE = 30


async def enter(gate: Gate, patience_s: float = 0.0) -> Pass:
    entered = await gate.enter(patience_s)
    assert entered is not None
    return entered


async def test_an_open_door_lets_everybody_through_at_once() -> None:
    gate = Gate()
    began = time.monotonic()
    entered = await asyncio.gather(*(gate.enter(5) for _ in range(AT_ONCE)))
    assert entered == ["free"] * AT_ONCE
    assert time.monotonic() - began < 0.2


async def test_a_shut_door_is_given_up_after_ones_patience() -> None:
    gate = Gate()
    gate.failed(await enter(gate), retry_after_s=30)
    began = time.monotonic()
    assert await gate.enter(0.2) is None
    assert 0.15 < time.monotonic() - began < 0.5


async def test_one_alone_tries_while_the_others_wait() -> None:
    gate = Gate()
    gate.failed(await enter(gate))
    entered = await asyncio.gather(*(gate.enter(FIRST_PAUSE_S + 0.5) for _ in range(AT_ONCE)))
    assert sorted(entered, key=str) == [None] * (AT_ONCE - 1) + ["probe"]


async def test_everybody_follows_at_once_when_the_probe_was_answered() -> None:
    gate = Gate()
    gate.failed(await enter(gate))
    waiting = [asyncio.create_task(gate.enter(10)) for _ in range(AT_ONCE)]
    [probe], rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert await probe == "probe"
    assert len(rest) == AT_ONCE - 1
    gate.answered()
    began = time.monotonic()
    assert await asyncio.gather(*rest) == ["free"] * (AT_ONCE - 1)
    assert time.monotonic() - began < 0.2


async def test_the_next_one_tries_when_the_probe_steps_back() -> None:
    gate = Gate()
    gate.failed(await enter(gate))
    gate.step_back(await enter(gate, 5))
    assert await enter(gate) == "probe"


async def test_pauses_grow_with_each_failed_probe_and_begin_anew_after_an_answer() -> None:
    gate = Gate()
    gate.failed(await enter(gate))
    shortest = [pause_of(gate)]
    for _ in range(6):
        gate._opens_at = 0.0  # the pause is over
        gate.failed(await enter(gate))
        shortest.append(pause_of(gate))
    assert shortest[0] <= FIRST_PAUSE_S
    assert shortest[0] < shortest[1] < shortest[2] < shortest[3]
    assert shortest[-1] == pytest.approx(LONGEST_PAUSE_S, rel=0.21)
    gate.answered()
    gate.failed(await enter(gate))
    assert pause_of(gate) <= FIRST_PAUSE_S


async def test_those_who_went_in_together_shut_the_door_once() -> None:
    """Eight calls that fail at one moment are one failure: the door does not stay shut eight times as long."""
    gate = Gate()
    passes = [await enter(gate) for _ in range(8)]
    for held in passes:
        gate.failed(held)
    assert pause_of(gate) <= FIRST_PAUSE_S


async def test_a_latecomer_of_the_last_burst_does_not_let_a_second_probe_in() -> None:
    gate = Gate()
    early, late, lost = [await enter(gate) for _ in range(3)]
    gate.failed(early)
    assert await enter(gate, 5) == "probe"
    gate.failed(late)
    gate.step_back(lost)
    assert await gate.enter(0.2) is None


@pytest.mark.parametrize(("asked_s", "shortest_s", "longest_s"), [(7, 6.9, 7), (100_000, 59, 60), (-3, 0, 0.5)])
async def test_the_backends_own_wish_counts_within_reason(asked_s: float, shortest_s: float, longest_s: float) -> None:
    gate = Gate()
    gate.failed(await enter(gate), retry_after_s=asked_s)
    assert shortest_s <= pause_of(gate) <= longest_s


async def test_a_wish_that_comes_late_still_counts() -> None:
    gate = Gate()
    first, second = await enter(gate), await enter(gate)
    gate.failed(first)
    gate.failed(second, retry_after_s=9)
    assert pause_of(gate) > 8.9


def pause_of(gate: Gate) -> float:
    return gate._opens_at - time.monotonic()
