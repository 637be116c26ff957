"""Issued licences over real sockets: the product, PostgreSQL, and an agency's sandbox that proves them or is down."""

import asyncio
import io
import socket
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from pypdf import PdfReader
from sqlalchemy import delete, insert, select

from app import processes
from app.assembly import Product, build
from app.cases.casedata import FORM_CONTEXT
from app.cases.models import Case
from app.ids import uuid7
from app.login.accounts import NewAccount, create_account
from app.login.identity import Person
from app.login.sessions import open_session
from app.sandbox.client import HttpWorkbench
from app.settings import read_settings
from services.permits.actions import PROOF_SHARED_S
from services.permits.models import HOLDER, PermitLicence
from services.permits.port import PermitApplication, PermitsPort
from services.permits.routes import CHECKS_PER_MINUTE
from tests.harness.product import Api, Running
from tests.harness.tickets import once_open

SITI = Person("3571024505909001", "Siti Aminah", date(1990, 5, 5), "+6281290019001")
BUDI = Person("3571011708859002", "Budi Santoso", date(1985, 8, 17), "+6281290019002")
UNKNOWN = "503/9999/NONE/2026"


class Office(msgspec.Struct, frozen=True):
    """Both sides of the counter: the product's own parts, the agency's workbench, and two citizens."""

    product: Product
    bench: HttpWorkbench
    siti: UUID
    siti_token: str
    budi_token: str
    reference: str
    number: str

    async def add_case(self, **columns: Any) -> UUID:
        """A case of Siti's as delivery would have left it."""
        case = uuid7()
        given = {
            "id": case,
            "number": f"3571-26-{case.hex[-7:]}-1",
            "citizen_id": self.siti,
            "module": "permits",
            "service": "research-permit",
            "agency": "dpmptsp",
            "backend": "sicantik",
            "status": "completed",
            "form_version": 1,
            "form_enc": self.product.vault.encrypt(b"{}", FORM_CONTEXT),
        }
        async with self.product.database.transaction() as session:
            await session.execute(insert(Case).values({**given, **columns}))
        return case

    async def heal(self, api: Api) -> None:
        """The agency well again, and known to be."""
        await self.bench.heal()
        case = await self.add_case(product={"licence_number": self.number})
        async with api.client(self.siti_token) as client:
            await once_open(lambda: client.get(f"/v1/permits/{case}/licence"))

    async def kept(self, case: UUID) -> PermitLicence | None:
        async with self.product.database.transaction() as session:
            return await session.get(PermitLicence, case)


@pytest.fixture(scope="module")
def environment(environment: dict[str, str]) -> dict[str, str]:
    environment["LOKET_LIMITS"] = "strict"
    return environment


@pytest.fixture(scope="module")
async def office(environment: dict[str, str], start_process: Callable[..., Running], api: Api) -> AsyncIterator[Office]:
    sandboxes = start_process("sandboxes")
    port = int(environment["LOKET_SANDBOX_PORT"])
    assert processes.wait_until(lambda: is_listening(port), sandboxes.process, 30), sandboxes.output()
    product = build(read_settings(environment), "test")
    await product.gate.keys.open()
    module = product.found.modules["permits"]
    async with HttpWorkbench(f"{product.settings.sandbox_url}/{module.backends['']}") as bench:
        reference, number = await issue(module.port, bench)
        (siti, siti_token), (_, budi_token) = [await log_in(product, person) for person in (SITI, BUDI)]
        yield Office(product, bench, siti, siti_token, budi_token, reference, number)
    await product.close()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def log_in(product: Product, person: Person) -> tuple[UUID, str]:
    async with product.database.transaction() as session:
        citizen = await create_account(session, product.vault, NewAccount(person, "no password", "id", 2))
        assert citizen is not None
        opened = await open_session(session, citizen, 2, "test")
    return citizen, product.gate.tokens.issue(citizen, opened.session_id, 2)


async def issue(port: PermitsPort, bench: HttpWorkbench) -> tuple[str, str]:
    """Register a permit for Siti and have the agency's officers issue it; the agency's reference and the number."""
    application = PermitApplication(
        reference="3571-26-0000001-1",
        permit="penelitian",
        kind="new",
        applicant_name=SITI.name,
        applicant_phone=SITI.phone,
        applicant_address="Jl. Mawar No. 1",
        applicant_village_code="35.71.01.1001",
        purpose="Tesis",
        submitted_on=date(2026, 11, 20),
        submitted_at=datetime(2026, 11, 20, 3, tzinfo=UTC),
    )
    reference = (await port.submit(application)).reference
    for _ in range(20):
        if number := await port.licence_number(reference):
            return reference, number
        await bench.work(reference)
    raise AssertionError("the sandbox's officers never issued it")


async def test_the_licence_is_proven_now_and_its_proof_kept(office: Office, api: Api) -> None:
    case = await office.add_case(product={"licence_number": office.number}, agency_reference=office.reference)
    before = datetime.now(UTC)
    async with api.client(office.siti_token, "en") as client:
        answer = await client.get(f"/v1/permits/{case}/licence")
    assert answer.status_code == 200
    licence = answer.json()
    assert licence["number"] == office.number
    assert licence["holder"].upper() == SITI.name.upper()
    assert licence["title"] == "Research Permit"
    assert licence["state"] == "fresh"
    assert licence["validity"] in ("valid", "unknown")
    assert before <= datetime.fromisoformat(licence["as_of"]) <= datetime.now(UTC)
    assert licence["check_url"].startswith(f"{api.url}/v1/permits/check?number=")
    assert answer.headers["cache-control"] == "no-store"
    kept = await office.kept(case)
    assert kept is not None
    assert kept.number == office.number
    assert SITI.name.encode() not in kept.holder_enc
    assert office.product.vault.decrypt(kept.holder_enc, HOLDER).decode() == licence["holder"]


async def test_the_number_is_asked_for_where_the_case_does_not_know_it_yet(office: Office, api: Api) -> None:
    async with office.product.database.transaction() as session:
        await session.execute(delete(PermitLicence))
        await session.execute(delete(Case))
    case = await office.add_case(status="in_review", agency_reference=office.reference)
    async with api.client(office.siti_token) as client:
        answer = await client.get(f"/v1/permits/{case}/licence")
    assert (answer.status_code, answer.json().get("number")) == (200, office.number)


async def test_nobody_elses_licence_can_be_read(office: Office, api: Api) -> None:
    case = await office.add_case(product={"licence_number": office.number})
    async with api.client(office.budi_token) as client:
        others = await client.get(f"/v1/permits/{case}/licence")
        missing = await client.get(f"/v1/permits/{uuid4()}/licence")
    async with api.client() as client:
        anonymous = await client.get(f"/v1/permits/{case}/licence")
    assert (others.status_code, missing.status_code, anonymous.status_code) == (404, 404, 401)
    assert others.json()["code"] == missing.json()["code"]
    assert await office.kept(case) is None


@pytest.mark.parametrize("status", ["draft", "submitted", "rejected"])
async def test_a_case_without_a_licence_says_so(office: Office, api: Api, status: str) -> None:
    case = await office.add_case(status=status)
    async with api.client(office.siti_token, "en") as client:
        answer = await client.get(f"/v1/permits/{case}/licence")
    assert (answer.status_code, answer.json()["code"]) == (409, "licence_not_issued")
    assert answer.json()["detail"] == "No licence has been issued for this case yet."


async def test_a_number_the_agency_does_not_know_is_not_vouched_for(office: Office, api: Api) -> None:
    case = await office.add_case(product={"licence_number": UNKNOWN})
    async with api.client(office.siti_token) as client:
        answer = await client.get(f"/v1/permits/{case}/licence")
    assert (answer.status_code, answer.json()["code"]) == (409, "licence_not_known")
    assert await office.kept(case) is None


@pytest.mark.parametrize("mode", ["error_503", "malformed", "reset", "hang"])
async def test_with_the_agency_down_the_last_proof_is_shown_as_old(office: Office, api: Api, mode: str) -> None:
    proven = await office.add_case(product={"licence_number": office.number})
    unproven = await office.add_case(product={"licence_number": office.number})
    async with api.client(office.siti_token) as client:
        fresh = (await client.get(f"/v1/permits/{proven}/licence")).json()
        await office.bench.fault(mode)
        await asyncio.sleep(PROOF_SHARED_S + 0.1)
        try:
            began = time.monotonic()
            shown, refused = await asyncio.gather(
                *(client.get(f"/v1/permits/{case}/licence") for case in (proven, unproven))
            )
            took_s = time.monotonic() - began
        finally:
            await office.heal(api)
    assert shown.status_code == 200
    assert shown.json() == {**fresh, "state": "stale"}
    assert (refused.status_code, refused.json()["code"]) == (503, "agency_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert await office.kept(unproven) is None
    assert took_s < 6


async def test_the_extract_is_a_pdf_that_leads_to_the_check(office: Office, api: Api) -> None:
    case = await office.add_case(product={"licence_number": office.number})
    async with api.client(office.siti_token) as client:
        answer = await client.get(f"/v1/permits/{case}/licence", headers={"Accept": "application/pdf"})
        refused = await client.get(f"/v1/permits/{case}/licence", headers={"Accept": "image/png"})
    assert answer.headers["content-type"] == "application/pdf"
    [page] = PdfReader(io.BytesIO(answer.content)).pages
    assert office.number in page.extract_text()
    [link] = {note.get_object()["/A"]["/URI"] for note in page.annotations or []}
    async with api.client() as client:
        assert (await client.get(str(link))).json()["genuine"] is True
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


async def test_anybody_may_check_a_number_and_learns_nothing_personal(office: Office, api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/v1/permits/check", params={"number": office.number})
    assert answer.status_code == 200
    check = answer.json()
    assert check["genuine"] is True
    assert check["number"] == office.number
    assert check["holder"].upper() == "S*** A*****"
    for private in (SITI.name, "Aminah", SITI.nik, SITI.phone):
        assert private.lower() not in answer.text.lower()


async def test_an_unknown_number_is_an_answer_not_an_error(office: Office, api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/v1/permits/check", params={"number": UNKNOWN})
    assert answer.status_code == 200
    assert (answer.json()["genuine"], answer.json()["holder"]) == (False, None)


@pytest.mark.parametrize(
    "number", ["", "ab", "x" * 81, "503'--", "503;drop", "<b>503</b>", "503\n0001", "503\x00", "lima %s", " 503 "]
)
async def test_what_is_no_number_never_goes_out(office: Office, api: Api, number: str) -> None:
    await office.bench.fault("error_500")
    try:
        async with api.client() as client:
            answer = await client.get("/v1/permits/check", params={"number": number})
    finally:
        await office.heal(api)
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter_invalid")


@pytest.mark.parametrize(("language", "verdict"), [("id", "Izin "), ("en", "Genuine|Registered")])
async def test_a_browser_gets_a_page(office: Office, api: Api, language: str, verdict: str) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    async with api.client(language=language) as client:
        answer = await client.get("/v1/permits/check", params={"number": office.number}, headers=browser)
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src" not in answer.headers["content-security-policy"].replace("script-src 'self'", "")
    assert any(f"<h1>{word}" in answer.text for word in verdict.split("|"))
    assert SITI.name not in answer.text


async def test_with_the_agency_down_only_recent_answers_are_given(office: Office, api: Api) -> None:
    async with api.client(language="en") as client:
        await client.get("/v1/permits/check", params={"number": office.number})
        await office.bench.fault("error_503")
        try:
            recent = await client.get("/v1/permits/check", params={"number": office.number})
            other = await client.get("/v1/permits/check", params={"number": "503/0777"})
            page = await client.get("/v1/permits/check?number=503/0778", headers={"Accept": "text/html"})
        finally:
            await office.heal(api)
        again = await client.get("/v1/permits/check", params={"number": "503/0777"})
    assert recent.json()["genuine"] is True
    assert (other.status_code, other.json()["code"]) == (503, "agency_unavailable")
    assert page.status_code == 503
    assert "<h1>Cannot be checked now</h1>" in page.text
    assert int(page.headers["retry-after"]) > 0
    assert (again.status_code, again.json()["genuine"]) == (200, False)


async def test_one_address_cannot_ask_the_agency_without_end(office: Office, api: Api) -> None:
    """Last in this file: it uses up this address's share of the minute."""
    async with api.client() as client:
        await client.get("/v1/permits/check", params={"number": office.number})
        answers = [
            await client.get("/v1/permits/check", params={"number": f"503/{number}/2026"})
            for number in range(1000, 1001 + CHECKS_PER_MINUTE)
        ]
        recent = await client.get("/v1/permits/check", params={"number": office.number})
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert recent.status_code == 200
    async with office.product.database.transaction() as session:
        assert not list(await session.scalars(select(PermitLicence).where(PermitLicence.number.like("503/1%"))))
