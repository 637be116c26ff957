"""A citizen answers the nine questions about a case of theirs that has ended: once, and nobody else's."""

import asyncio
from typing import Any

import asyncpg
import pytest

from app.database import driver_url
from tests.harness.cases import hand_in, new_key
from tests.harness.people import Citizen, People

ANSWERS = {
    "requirements": 4,
    "procedure": 3,
    "time": 2,
    "fee": 4,
    "product": 3,
    "competence": 4,
    "conduct": 4,
    "complaints": 3,
    "facilities": 1,
}


@pytest.fixture
async def ended(citizen: Citizen, postgres_url: str) -> str:
    """The path of the survey of a case that has ended."""
    case = await hand_in(citizen)
    connection = await asyncpg.connect(driver_url(postgres_url))
    await connection.execute("UPDATE cases SET status = 'completed' WHERE id = $1::text::uuid", case["id"])
    await connection.close()
    shown: dict[str, Any] = (await citizen.get(case["links"]["self"])).json()
    return str(shown["links"]["survey"])


async def test_it_is_answered_once(citizen: Citizen, ended: str) -> None:
    asked = (await citizen.get(ended)).json()
    assert asked["state"] == "open"
    assert [question["code"] for question in asked["questions"]] == [f"U{number}" for number in range(1, 10)]
    assert all(len(question["choices"]) == 4 for question in asked["questions"])
    given = await citizen.post(ended, ANSWERS)
    assert given.status_code == 201, given.text
    assert given.json()["answers"] == ANSWERS
    again = await citizen.post(ended, ANSWERS | {"time": 4})
    assert (again.status_code, again.json()["code"]) == (409, "case_already_surveyed")
    shown = (await citizen.get(ended)).json()
    assert (shown["state"], shown["answers"]) == ("answered", ANSWERS)


async def test_the_timeline_says_that_and_never_what(citizen: Citizen, ended: str) -> None:
    await citizen.post(ended, ANSWERS)
    timeline = (await citizen.get(ended.removesuffix("/survey"))).json()["timeline"]
    assert timeline[-1]["kind"] == "surveyed"
    assert timeline[-1]["data"] == {}
    assert "survei" in timeline[-1]["text"]


async def test_the_same_key_gives_the_first_answer(citizen: Citizen, ended: str) -> None:
    key = new_key()
    one, other = await asyncio.gather(*(citizen.post(ended, ANSWERS, key=key) for _ in range(2)))
    assert {one.status_code, other.status_code} <= {201, 409}
    again = await citizen.post(ended, ANSWERS, key=key)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")


async def test_not_before_the_end(citizen: Citizen) -> None:
    case = await hand_in(citizen)
    path = f"/v1/cases/{case['id']}/survey"
    assert (await citizen.get(path)).json()["state"] == "not_ended"
    refused = await citizen.post(path, ANSWERS)
    assert (refused.status_code, refused.json()["code"]) == (409, "case_not_ended")


async def test_nobody_elses(people: People, citizen: Citizen, ended: str) -> None:
    other = await people.make()
    assert (await other.get(ended)).status_code == 404
    assert (await other.post(ended, ANSWERS)).status_code == 404
    assert (await citizen.get(ended)).json()["state"] == "open"


@pytest.mark.parametrize("changed", [{"time": 5}, {"time": 0}, {"time": None}, {"more": 1}])
async def test_all_nine_and_nothing_else(citizen: Citizen, ended: str, changed: dict[str, Any]) -> None:
    assert (await citizen.post(ended, ANSWERS | changed)).status_code == 422
    assert (await citizen.post(ended, {"time": 4})).status_code == 422
    assert (await citizen.get(ended)).json()["state"] == "open"
