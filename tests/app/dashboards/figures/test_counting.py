"""Cells against an independent recount from the events, to the last unit, whatever happens to cases meanwhile."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.cases.states import ARROWS, FINAL
from app.dashboards.figures.counting import Counting
from app.ids import uuid7
from tests.app.dashboards.figures.recount import counted, recounted, with_sums

_ADD = """
INSERT INTO case_events (case_id, seq, at, kind, status, data)
SELECT $1, max(seq) + 1, $2, $3, $4, $5 FROM case_events WHERE case_id = $1
"""
_FOLLOW = "UPDATE cases SET status = $2, last_event = last_event + 1 WHERE id = $1"
_COPY_OF = """
INSERT INTO cases (id, number, citizen_id, module, service, agency, backend, status, form_version, form_enc, due_on)
SELECT $1, $2, citizen_id, module, service, agency, backend, 'submitted', 1, form_enc, $3 FROM cases LIMIT 1
"""
_SUMMED = """
SELECT sum(count) FILTER (WHERE agency = '') AS whole, sum(count) FILTER (WHERE service <> '') AS each
FROM figure_cells GROUP BY grain, starts_on, measure, value
UNION ALL
SELECT sum(count) FILTER (WHERE service = '') AS whole, sum(count) FILTER (WHERE service <> '') AS each
FROM figure_cells WHERE agency <> '' GROUP BY grain, starts_on, measure, value, agency
"""


async def test_a_past_is_counted_to_the_last_unit(owner: Any, counting: Counting) -> None:
    await counting.run()
    expected = with_sums(await recounted(owner))
    assert await counted(owner) == expected
    measures = {cell[4] for cell in expected}
    assert measures == {
        "handed_in",
        "ended",
        "days",
        "on_time",
        "reason",
        "score",
        "open",
        *(f"u{n}" for n in range(1, 10)),
    }
    assert (
        sum(count for cell, count in expected.items() if cell[:1] + cell[2:5] == ("month", "", "", "handed_in")) > 1000
    )


async def test_counting_again_changes_nothing(owner: Any, counting: Counting) -> None:
    await counting.run()
    before = await counted(owner)
    assert await counting.run() == 0
    assert await counting.run(everything=True) == 0
    assert await counted(owner) == before


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_whatever_happens_is_counted(owner: Any, counting: Counting, seed: int) -> None:
    """New cases, moves, answers, events with an earlier time than what was counted, deleted cases, accounts that became
    one: after each round the cells are what a recount gives."""
    rng = random.Random(seed)
    for _ in range(3):
        for _ in range(12):
            await rng.choice((_new, _move, _move, _late, _rate, _survey, _delete, _merge))(owner, rng)
        # What bears a time of lately is found at once; what does not, by comparing.
        await counting.run(everything=True)
        assert await counted(owner) == with_sums(await recounted(owner))


async def test_what_happens_now_is_found_without_comparing(owner: Any, counting: Counting) -> None:
    await counting.run()
    rng = random.Random(9)
    for deed in (_new, _move, _rate, _survey):
        await deed(owner, rng)
    assert await counting.run() > 0
    assert await counted(owner) == with_sums(await recounted(owner))


async def test_sums_that_an_older_release_left_behind_are_summed_again(owner: Any, counting: Counting) -> None:
    await counting.run()
    own = "service = (SELECT max(service) FROM figure_cells)"
    await owner.execute(f"UPDATE figure_cells SET count = count + 3 WHERE {own}")
    await owner.execute("DELETE FROM figure_cells WHERE agency = '' AND measure = 'handed_in'")
    emptied = "INSERT INTO figure_cells VALUES ('day', '2020-01-01', 'dinkes', 'none', 'open', '', 0)"
    await owner.execute(emptied)
    await counting.run(everything=True)
    summed = await owner.fetch(_SUMMED)
    assert summed
    assert [row for row in summed if row["whole"] != row["each"]] == []
    assert await owner.fetchval("SELECT count(*) FROM figure_cells WHERE grain = 'day' AND count = 0") == 0
    await owner.execute(f"UPDATE figure_cells SET count = count - 3 WHERE {own}")
    await counting.run(everything=True)
    assert await counted(owner) == with_sums(await recounted(owner))


async def test_several_workers_count_at_once(owner: Any, counting: Counting) -> None:
    for _ in range(20):
        await _new(owner, random.Random(3))
    await asyncio.gather(counting.run(), counting.run(everything=True), counting.run())
    assert await counted(owner) == with_sums(await recounted(owner))


async def test_other_rules_count_everything_anew(owner: Any, counting: Counting) -> None:
    await counting.run()
    await owner.execute("UPDATE figure_state SET version = 0")
    await owner.execute("UPDATE figure_cells SET count = count + 1")
    await counting.run()
    assert await counted(owner) == with_sums(await recounted(owner))


async def _new(owner: Any, rng: random.Random) -> None:
    now, case_id = datetime.now(UTC), uuid7()
    due = None if rng.random() < 0.2 else (now + timedelta(days=rng.randrange(-3, 9))).date()
    await owner.execute(_COPY_OF, case_id, f"test-{case_id}", due)
    at = now - timedelta(days=rng.choice((0, 0, 0, 40)))
    kind = rng.choice(("submitted", "submitted", "created"))
    status = "draft" if kind == "created" else "submitted"
    await owner.execute(
        "INSERT INTO case_events (case_id, seq, at, kind, status) VALUES ($1, 1, $2, $3, $4)", case_id, at, kind, status
    )
    await owner.execute("UPDATE cases SET status = $2 WHERE id = $1", case_id, status)


async def _move(owner: Any, rng: random.Random, at: datetime | None = None) -> None:
    await _new(owner, rng)
    row = await _one(owner, rng, "status NOT IN ('completed', 'rejected', 'withdrawn', 'expired')")
    following = rng.choice(sorted(ARROWS[row["status"]]))
    data = {"reason_code": rng.choice(("documents", "place"))} if following == "rejected" and rng.random() < 0.8 else {}
    await owner.execute(_ADD, row["id"], at or datetime.now(UTC), following, following, data)
    await owner.execute(_FOLLOW, row["id"], following)


async def _late(owner: Any, rng: random.Random) -> None:
    await _move(owner, rng, datetime.now(UTC) - timedelta(days=rng.randrange(1, 60)))


async def _rate(owner: Any, rng: random.Random) -> None:
    row = await _one(owner, rng, f"status IN ({_FINAL})")
    data = {"score": rng.randrange(1, 6), "comment": ""}
    await owner.execute(_ADD, row["id"], datetime.now(UTC), "rated", row["status"], data)


async def _survey(owner: Any, rng: random.Random) -> None:
    row = await _one(owner, rng, f"status IN ({_FINAL}) AND id NOT IN (SELECT case_id FROM surveys)")
    answers = [rng.randrange(1, 5) for _ in range(9)]
    await owner.execute(
        "INSERT INTO surveys VALUES ($1, now(), $2, $3, $4, $5, $6, $7, $8, $9, $10)", row["id"], *answers
    )
    await owner.execute(_ADD, row["id"], datetime.now(UTC), "surveyed", row["status"], {})


async def _delete(owner: Any, rng: random.Random) -> None:
    await owner.execute("DELETE FROM cases WHERE id = $1", (await _one(owner, rng, "true"))["id"])


async def _merge(owner: Any, rng: random.Random) -> None:
    """Two accounts of one person: the cases of one are the other's from now on."""
    one, other = await _one(owner, rng, "true"), await _one(owner, rng, "true")
    await owner.execute(
        "UPDATE cases SET citizen_id = $1 WHERE citizen_id = $2", one["citizen_id"], other["citizen_id"]
    )


async def _one(owner: Any, rng: random.Random, condition: str) -> Any:
    rows = await owner.fetch(f"SELECT id, status, citizen_id FROM cases WHERE {condition} ORDER BY id")
    return rng.choice(rows)


_FINAL = ", ".join(f"'{status}'" for status in sorted(FINAL))
