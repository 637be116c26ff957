"""Cases for tests: a file that is a PDF, a filled-in form that fits, and handing one in over the API."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.harness.people import Citizen

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


async def send_pdf(citizen: Citizen, content: bytes = PDF) -> str:
    """A PDF sent; its id."""
    files = {"file": ("berkas.pdf", content, "application/pdf")}
    answer = await citizen.client.post("/v1/attachments", files=files, headers={"Idempotency-Key": new_key()})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def hand_in(citizen: Citizen) -> dict[str, Any]:
    """A case handed in; as the API shows it."""
    form = advertising(await send_pdf(citizen))
    answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": form}, key=new_key())
    assert answer.status_code == 202, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


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
