"""What a citizen answers, or says of why they withdraw, goes to the agency. On the desk nobody finds it again: roles of
the whole city read there as well."""

import asyncio
from typing import Any

import pytest

from tests.harness.aid import hand_in, objection, siti
from tests.harness.cases import is_delivered, new_key, until
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.tickets import take

pytestmark = pytest.mark.usefixtures("worker")

ANSWER = "Belum, masih bersama Bambang Canaria"
REASON = "Sudah diobati Bidan Canaria"


async def on_the_desk(officer: OfficerAtWork, case: dict[str, Any], operation: str) -> str:
    """All that is shown of this delivery once it has been told."""
    async with asyncio.timeout(60):
        while True:
            listed = (await officer.get("/v1/officer/deliveries", case=case["number"])).json()["items"]
            told = [each for each in listed if each["operation"] == operation]
            if told and told[0]["tries"] and told[0]["state"] not in ("queued", "delivering"):
                return (await officer.get(f"/v1/officer/deliveries/{told[0]['id']}")).text
            await asyncio.sleep(0.2)


async def test_an_answer(people: People, officers: Officers) -> None:
    citizen = await siti(people)
    case = await hand_in(citizen, "aid-objection", objection())
    await until(citizen, case["id"], is_delivered)
    lead, auditor = await officers.make("supervisor", "dinsos"), await officers.make("auditor")
    asked = await lead.post(f"/v1/officer/cases/{case['id']}/questions", {"question": "Masih bersama suami?"})
    assert asked.status_code == 204, asked.text
    answered = await citizen.post(f"/v1/cases/{case['id']}/answers", {"answer": ANSWER}, key=new_key())
    assert answered.status_code == 202, answered.text
    shown = await on_the_desk(auditor, case, "answer")
    assert '"method":"POST"' in shown, "it was told, and how is shown"
    assert not [word for word in ("bersama", "Bambang", "Canaria", "suami") if word in shown]


async def test_a_reason(people: People, officers: Officers) -> None:
    citizen = await people.make()
    case = await take(citizen)
    gone = await citizen.post(f"/v1/cases/{case['id']}/withdraw", {"reason": REASON}, key=new_key())
    assert gone.status_code == 200, gone.text
    shown = await on_the_desk(await officers.make("auditor"), case, "withdraw")
    assert '"method":' in shown
    assert not [word for word in ("diobati", "Bidan", "Canaria") if word in shown]
