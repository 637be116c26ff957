"""Turns at a rate that holds over all processes."""

import asyncio
import time

import pytest

from app.backends.pace import NoTurn, Pace
from app.valkey import Valkey
from tests.harness.calling import NOWHERE, new_name


async def turns(pace: Pace, name: str, how_many: int, per_second: float) -> list[float]:
    taken = []
    for _ in range(how_many):
        await pace.turn(name, per_second, 60)
        taken.append(time.monotonic())
    return taken


async def test_processes_together_keep_to_the_rate(valkey_url: str) -> None:
    name, valkeys = new_name(), [Valkey(valkey_url) for _ in range(3)]
    taken = await asyncio.gather(*(turns(Pace(valkey), name, 40, 60.0) for valkey in valkeys))
    for valkey in valkeys:
        await valkey.close()
    moments = sorted(moment for each in taken for moment in each)
    # 120 turns at 60 a second: two seconds less one turn, and never more than the rate and a bit.
    assert moments[-1] - moments[0] >= (120 - 3) / 60


async def test_a_turn_too_far_away_is_not_taken(valkey_url: str) -> None:
    name, valkey = new_name(), Valkey(valkey_url)
    pace = Pace(valkey)
    await pace.turn(name, 0.5, 1)
    for _ in range(3):
        with pytest.raises(NoTurn) as told:
            await pace.turn(name, 0.5, 1)
        assert 1 < told.value.wait_s <= 2
    await valkey.close()


async def test_without_valkey_each_process_keeps_to_a_share() -> None:
    valkey = Valkey(NOWHERE)
    taken = await turns(Pace(valkey), "any", 10, 80.0)
    await valkey.close()
    assert taken[-1] - taken[0] >= 8 / 20
