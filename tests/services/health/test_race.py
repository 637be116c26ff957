"""200 citizens race for 30 tickets on two API processes: 30 have one, the ledger holds 30, every refusal is clear."""

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from tests.harness.cases import new_key, until
from tests.harness.people import Citizen, People
from tests.harness.product import Api, Running, Sandboxes, free_port
from tests.harness.tickets import SERVICE, once_open, open_day, ticket_form

CITIZENS, TICKETS = 200, 30
# The demo's mother and child clinic gives thirty a day.
CLINIC = {"clinic": "003", "doctor": "145031", "hours": "08:00-13:00"}


@pytest.fixture
def other(start_process: Callable[..., Running], api: Api, worker: Running) -> str:
    """The address of a second API process on the same database, for the same issuer's tokens."""
    port = free_port()
    running = start_process("serve", LOKET_PORT=str(port), LOKET_PUBLIC_URL=api.url)
    running.wait_for("Uvicorn running")
    return f"http://127.0.0.1:{port}"


@pytest.mark.timeout(300)
async def test_thirty_of_two_hundred(people: People, sandboxes: Sandboxes, other: str) -> None:
    citizens = [await people.make() for _ in range(CITIZENS)]
    day = open_day().isoformat()
    asking = [
        persist(citizen, other if place % 2 else "", ticket_form(visit_on=day, **CLINIC))
        for place, citizen in enumerate(citizens)
    ]
    answers = await asyncio.gather(*asking)
    came = Counter(answer.status_code for answer in answers)
    assert set(came) <= {201, 202, 409}, came
    reasons = {answer.json()["params"]["reason_code"] for answer in answers if answer.status_code == 409}
    assert reasons == {"quota_full"}
    ended = [await settled(citizen, answer) for citizen, answer in zip(citizens, answers, strict=True)]
    given = {number for number, status in ended if status == "in_review"}
    assert len(given) == TICKETS
    assert Counter(status for _, status in ended).keys() <= {"in_review", "rejected", "expired"}
    async with sandboxes.bench("antrean_fktp") as bench:
        taken = Counter(effect.reference for effect in await bench.ledger() if effect.operation == "take")
    assert set(taken) == given
    assert set(taken.values()) == {1}


async def settled(citizen: Citizen, answer: httpx.Response) -> tuple[str, str]:
    """A case's number and how it ended, once that is known."""
    told = answer.json()
    case_id = told["params"]["case_id"] if answer.status_code == 409 else told["id"]
    case = await until(citizen, case_id, lambda shown: shown["status"] != "submitted", timeout_s=60)
    return case["number"], case["status"]


async def persist(citizen: Citizen, base: str, form: dict[str, object]) -> httpx.Response:
    """Ask as a phone does: again with the same key while the facility is too busy to answer."""
    body, headers = {"service": SERVICE, "form": form}, {"Idempotency-Key": new_key()}
    return await once_open(lambda: citizen.client.post(f"{base}/v1/cases", json=body, headers=headers))
