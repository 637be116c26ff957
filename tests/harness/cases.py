"""Cases for tests: a file that is a PDF, a filled-in form that fits, and handing one in over the API."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.harness.people import Citizen, People

SERVICE = "outdoor-advertising"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"


def new_key() -> str:
    return str(uuid.uuid4())


def advertising(documents: str, **changed: object) -> dict[str, Any]:
    """A form of the outdoor advertising permit that is right in every field."""
    starts = datetime.now(UTC).date() + timedelta(days=10)
    form: dict[str, Any] = {
        "kind": "new",
        "purpose": "Papan nama toko",
        "applicant_address": "Jalan Dhoho 1",
        "applicant_village_code": "35.71.02.1005",
        "applicant_type": "person",
        "advert_type": "wall_sign",
        "advert_text": "Toko Siti",
        "width_m": 2,
        "height_m": 1.5,
        "sides": 1,
        "units": 1,
        "location_address": "Jalan Dhoho 1",
        "location_village_code": "35.71.02.1005",
        "land_status": "own",
        "starts_on": starts.isoformat(),
        "ends_on": (starts + timedelta(days=300)).isoformat(),
        "requirements_met": ["identity_card", "location_plan", "design"],
        "documents": documents,
        "declaration": True,
    }
    return form | changed


async def send_pdf(citizen: Citizen, content: bytes = PDF, *, tries: int = 1) -> str:
    """A PDF sent; its id."""
    files = {"file": ("berkas.pdf", content, "application/pdf")}
    headers = {"Idempotency-Key": new_key()}
    answer = await _asked(tries, lambda: citizen.client.post("/v1/attachments", files=files, headers=headers))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def hand_in(citizen: Citizen, *, tries: int = 1) -> dict[str, Any]:
    """A case handed in; as the API shows it. With several `tries` a 503 is answered as an app does: the same, later."""
    documents = await send_pdf(citizen, tries=tries)
    # Their name stands in it, so that whoever is shown the form is seen to have been shown theirs.
    form, key = advertising(documents, advert_text=f"Toko {citizen.person.name}"), new_key()
    body = {"service": SERVICE, "form": form}
    answer = await _asked(tries, lambda: citizen.post("/v1/cases", body, key=key))
    assert answer.status_code == 202, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def _asked(tries: int, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    answer = await ask()
    for _ in range(1, tries):
        if answer.status_code != 503:
            break
        await asyncio.sleep(0.5)
        answer = await ask()
    return answer


async def until(citizen: Citizen, case_id: str, condition: Any, timeout_s: float = 20) -> dict[str, Any]:
    """The case once `condition(case)` holds. Raises AssertionError with the case where it never does."""
    case: dict[str, Any] = {}
    for _ in range(int(timeout_s / 0.1)):
        case = (await citizen.get(f"/v1/cases/{case_id}")).json()
        if condition(case):
            return case
        await asyncio.sleep(0.1)
    raise AssertionError(case)


def is_delivered(case: dict[str, Any]) -> bool:
    return bool(case["delivery"]["state"] == "delivered")


async def delays_s(people: People, count: int) -> list[float]:
    """How long each of so many cases takes, one after the other, from handing in to the agency's number."""
    found = []
    for _ in range(count):
        citizen = await people.make()
        began = time.monotonic()
        case = await hand_in(citizen)
        await until(citizen, case["id"], is_delivered, timeout_s=60)
        found.append(time.monotonic() - began)
    return found
