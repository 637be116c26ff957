"""The permits port over SICANTIK."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Literal

from app.agency_client import AgencyClient
from app.cases.port import Progress, Receipt, Step
from app.errors import AgencyRejected, AgencyUnavailable, NotOffered, OutcomeUnknown
from integrations.sicantik.client import Row, SicantikClient, text
from integrations.sicantik.forms import Ids, registration_form, sent_file
from integrations.sicantik.lists import Lists, PermitType
from integrations.sicantik.lookup import Lookup
from services.permits.port import Licence, PermitApplication, PermitsPort

RECEIVED_STEPS = {"1"}
REJECTED_STEP = "9"
ISSUED_STEPS = {"12", "17", "14"}
TO_COLLECT_STEP = "14"
ISSUED_PAGE_ROWS = 500
MOST_ISSUED_PAGES = 10
MAX_LICENCE_LENGTH = 100
# Looking, preparing and registering together stay below a delivery's lease of 30 s.
PREPARE_BUDGET_S = 4.0
FIND_BUDGET_S = 6.0


class SicantikPermits(PermitsPort):
    """Hands registrations to a SICANTIK backoffice and reads its track of them."""

    def __init__(self, client: AgencyClient) -> None:
        self._name = client.backend.name
        self._unit = client.backend.settings["unit_id"]
        self._client = SicantikClient(client)
        self._lists = Lists(self._client, client.backend)
        self._lookup = Lookup(self._client, self._name)

    async def submit(self, application: PermitApplication) -> Receipt:
        try:
            async with asyncio.timeout(PREPARE_BUDGET_S):
                permit, ids = await self._ids(application)
        except TimeoutError:
            raise AgencyUnavailable(self._name, "register", "its lists come too slowly") from None
        number = await self._client.register(registration_form(application, ids), sent_file(application))
        return Receipt(number, {"permit_type": permit.name})

    async def find(self, application: PermitApplication, taken: Sequence[str]) -> Receipt | None:
        try:
            async with asyncio.timeout(FIND_BUDGET_S):
                permit = await self._lists.permit_type(application.permit)
                kind_id = await self._lists.kind_id(application.kind)
                return await self._lookup.find(application, permit, kind_id, taken)
        except TimeoutError:
            raise AgencyUnavailable(self._name, "find", "its answers come too slowly") from None

    async def progress(self, reference: str) -> Progress:
        rows = await self._client.track(reference)
        if not rows:
            raise AgencyRejected(self._name, "track", "no such registration", code="reference_unknown")
        present = self._present(rows)
        steps = _steps(rows, present)
        current = text(rows[present], "trstspermohonan_id")
        if current == REJECTED_STEP:
            return Progress("rejected", steps)
        if current not in ISSUED_STEPS:
            return Progress("submitted" if current in RECEIVED_STEPS else "in_review", steps)
        number = await self.licence_number(reference)
        product = {"licence_number": number} if number else {}
        last = current == TO_COLLECT_STEP or all(step.state != "to_come" for step in steps)
        proven = bool(number) and last and await self.licence(number) is not None
        return Progress("completed" if proven else "approved", steps, product=product)

    async def answer(self, reference: str, question: str, answer: str) -> Receipt:
        raise NotOffered(self._name, "answer", "takes no answers")

    async def withdraw(self, reference: str, reason: str) -> Receipt:
        raise NotOffered(self._name, "withdraw", "takes no withdrawals")

    async def licence(self, number: str) -> Licence | None:
        if not number.strip() or len(number) > MAX_LICENCE_LENGTH or not number.isprintable():
            return None
        rows = [row for row in await self._client.prove(number) if text(row, "no_surat") == number]
        if not rows:
            return None
        newest = max(rows, key=lambda row: text(row, "tgl_surat"))
        return Licence(
            number=number,
            permit=text(newest, "n_perizinan"),
            holder=text(newest, "n_pemohon"),
            issued_on=_day(newest, "tgl_surat"),
            valid_until=_day(newest, "d_berlaku_izin"),
            proven_at=datetime.now(UTC),
        )

    async def licence_number(self, reference: str) -> str:
        for page in range(MOST_ISSUED_PAGES):
            rows = await self._client.issued(ISSUED_PAGE_ROWS, page * ISSUED_PAGE_ROWS)
            numbers = {text(row, "no_surat") for row in rows if text(row, "pendaftaran_id") == reference} - {""}
            if len(numbers) > 1:
                raise OutcomeUnknown(self._name, "issued", "two licences for one number", code="number_collision")
            if numbers or len(rows) < ISSUED_PAGE_ROWS:
                return next(iter(numbers), "")
        return ""

    async def _ids(self, application: PermitApplication) -> tuple[PermitType, Ids]:
        permit = await self._lists.permit_type(application.permit)
        business_village = application.business_village_code
        ids = Ids(
            permit=permit.id,
            kind=await self._lists.kind_id(application.kind),
            unit=self._unit,
            requirements=await self._lists.requirement_ids(permit.id, application.requirements_met),
            applicant_village=await self._lists.village_id(application.applicant_village_code),
            business_village=await self._lists.village_id(business_village) if business_village else "",
        )
        return permit, ids

    def _present(self, rows: Sequence[Row]) -> int:
        """Which row is the present step.

        Raises OutcomeUnknown where two registrations bear the number (it is made from max(id)+1, so two of one moment
        may): one citizen would be told of another's.
        """
        people = {(text(row, "n_pemohon"), text(row, "telp_pemohon"), text(row, "n_perizinan")) for row in rows}
        current = [index for index, row in enumerate(rows) if text(row, "current") == "1"]
        if len(people) > 1 or len(current) > 1:
            raise OutcomeUnknown(self._name, "track", "two registrations bear this number", code="number_collision")
        if not current:
            raise AgencyUnavailable(self._name, "track", "no step is marked as the present one")
        return current[0]


def _steps(rows: Sequence[Row], present: int) -> list[Step]:
    """Done steps, the present one, those to come. A step gone through twice keeps a key of its own each time."""
    seen: dict[str, int] = {}
    steps = []
    for index, row in enumerate(rows):
        step = text(row, "trstspermohonan_id")
        seen[step] = times = seen.get(step, 0) + 1
        key = step if times == 1 else f"{step}.{times}"
        steps.append(Step(key, text(row, "n_sts_permohonan"), _state(index, present)))
    return steps


def _state(index: int, present: int) -> Literal["done", "current", "to_come"]:
    if index == present:
        return "current"
    return "done" if index < present else "to_come"


def _day(row: Row, key: str) -> date | None:
    """A date, None for the many ways in which MySQL and PHP say that there is none."""
    match = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text(row, key))
    try:
        return date.fromisoformat(match.group()) if match else None
    except ValueError:
        return None
