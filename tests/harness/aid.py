"""Social aid for tests: the demo's households, forms that fit, and handing one in over the API."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.cases.port import Receipt
from services.social_aid.port import AidRequest, Certificate, HouseholdAid, Matter, Programme, SocialAidPort
from tests.harness.cases import new_key
from tests.harness.people import Citizen, People
from tests.harness.photos import photo

SITI, HENDRA, BUDI, RAHMAT = "3571024505909001", "3571021202879031", "3571011708859002", "3571010101759004"
CHILDREN = ("3571020909149032", "3571026304199033")
ADDRESS = {"address": "Jalan Wijaya Kusuma 14", "village_code": "35.71.02.1005", "rt": "03", "rw": "02"}


async def siti(people: People) -> Citizen:
    """The demo's Siti: in a household of four."""
    return await people.make(nik=SITI, name="Siti Aminah")


def objection(**changed: Any) -> dict[str, Any]:
    """A form of the objection that is right in every field."""
    form: dict[str, Any] = {
        "about": "decile",
        "reason": "Tercatat desil 2, padahal sejak Maret tidak ada penghasilan sama sekali.",
        **ADDRESS,
        "with_photos": "no",
        "declaration": True,
    }
    form |= changed
    return {name: value for name, value in form.items() if value is not None}


def proposal(**changed: Any) -> dict[str, Any]:
    """A form of the proposal that is right in every field."""
    form: dict[str, Any] = {
        "family_card_number": "3571010101759999",
        "members_count": 1,
        "monthly_income_idr": 400_000,
        "housing": "rent",
        "reason": "Tinggal sendiri dan tidak bekerja lagi karena sakit.",
        **ADDRESS,
        "with_photos": "no",
        "declaration": True,
    }
    return form | changed


def certificate(**changed: Any) -> dict[str, Any]:
    """A form of the certificate that is right in every field."""
    return {"purpose": "school_admission", "for_name": "Rizky Wijaya", "certificate_consent": True} | changed


async def send_photo(citizen: Citizen, **told: Any) -> str:
    """A photo sent; its id. `told`: what it tells of itself."""
    files = {"file": ("rumah.jpg", photo(**told), "image/jpeg")}
    answer = await citizen.client.post("/v1/attachments", files=files, headers={"Idempotency-Key": new_key()})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def hand_in(citizen: Citizen, service: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """A case handed in; as the API shows it."""
    answer = await citizen.post("/v1/cases", {"service": service, "form": form}, key=new_key())
    assert answer.status_code == 202, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


class AgencyDouble(SocialAidPort):
    """An agency that a test must not ask, but for what the test itself answers."""

    async def programmes(self) -> Sequence[Programme]:
        raise NotImplementedError

    async def household_aid(self, nik: str) -> HouseholdAid | None:
        raise NotImplementedError

    async def submit(self, request: AidRequest) -> Receipt:
        raise NotImplementedError

    async def find(self, request: AidRequest, taken: Sequence[str]) -> Receipt | None:
        raise NotImplementedError

    async def matter(self, reference: str) -> Matter:
        raise NotImplementedError

    async def answer(self, reference: str, question: str, answer: str) -> Receipt:
        raise NotImplementedError

    async def withdraw(self, reference: str, reason: str) -> Receipt:
        raise NotImplementedError

    async def certificate(self, number: str) -> Certificate | None:
        raise NotImplementedError
