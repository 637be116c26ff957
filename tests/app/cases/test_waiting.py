"""The promised day while the citizen is asked: it moves on by the working days until they have answered."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.assembly import Product
from app.cases.desk import ask_citizen
from app.cases.port import Progress, Step
from app.cases.settle import apply_progress
from app.workdays import is_workday
from tests.harness.cases import hand_in
from tests.harness.people import Citizen, People
from tests.harness.tables import Tables

ZONE = ZoneInfo("Asia/Jakarta")
_LONG_AGO = "UPDATE case_events SET at = at - $2::interval WHERE case_id = $1 AND kind = 'needs_citizen'"


async def asked(product: Product, citizen: Citizen, tables: Tables, days_ago: int) -> dict[str, Any]:
    """A case whose citizen was asked so many days ago."""
    case = await hand_in(citizen)
    async with product.database.begin() as connection:
        await ask_citizen(connection, case["number"], product.vault.seal("Berapa tingginya?"), "petugas.uji")
    await tables.run(_LONG_AGO, UUID(case["id"]), timedelta(days=days_ago))
    return case


async def due(tables: Tables, case: dict[str, Any]) -> date:
    found: date = await tables.value("SELECT due_on FROM cases WHERE id = $1", UUID(case["id"]))
    return found


def later(day: date, working_days: int) -> date:
    while working_days:
        day += timedelta(days=1)
        working_days -= is_workday(day)
    return day


def waited(days_ago: int) -> int:
    today = datetime.now(UTC).astimezone(ZONE).date()
    return sum(is_workday(today - timedelta(days=each)) for each in range(days_ago))


@pytest.mark.parametrize("days_ago", [0, 9, 40])
async def test_an_answer_moves_it(product: Product, people: People, tables: Tables, days_ago: int) -> None:
    citizen = await people.make()
    case = await asked(product, citizen, tables, days_ago)
    promised = await due(tables, case)
    answered = await citizen.post(f"{case['links']['self']}/answers", {"answer": "Tiga meter."})
    assert answered.status_code == 202, answered.text
    expected = later(promised, waited(days_ago))
    assert await due(tables, case) == expected
    assert datetime.fromisoformat(answered.json()["due_at"]).astimezone(ZONE).date() == expected


@pytest.mark.parametrize("status", ["in_review", "rejected"])
async def test_an_agency_that_goes_on_by_itself_moves_it_once(
    product: Product, people: People, tables: Tables, status: str
) -> None:
    case = await asked(product, await people.make(), tables, 9)
    promised = await due(tables, case)
    told = Progress(status, (Step("1", "Diterima", "done"), Step("2", "Diperiksa", "current")))  # type: ignore[arg-type]
    for _ in range(2):
        async with product.database.begin() as connection:
            await apply_progress(connection, UUID(case["id"]), told, 900, ZONE)
        assert await due(tables, case) == later(promised, waited(9))


async def test_words_that_change_nothing_leave_it(product: Product, people: People, tables: Tables) -> None:
    case = await asked(product, await people.make(), tables, 9)
    promised = await due(tables, case)
    async with product.database.begin() as connection:
        await apply_progress(connection, UUID(case["id"]), Progress("in_review", ()), 900, ZONE)
    assert await due(tables, case) == promised
