"""The PDF extract and the public check's page: what they say, and what they must not."""

import io
from datetime import UTC, date, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from app.texts import Language, load_texts, text_roots
from services.permits.extract import draw
from services.permits.pages import check_page
from services.permits.schemas import LicenceCheck, LicenceView

load_texts(*text_roots())

ZONE = ZoneInfo("Asia/Jakarta")
URL = "https://loket.example/v1/permits/check?number=503%2F0001%2FREK%2F2026"


def licence(**changed: object) -> LicenceView:
    fields: dict[str, object] = {
        "case_id": uuid4(),
        "case_number": "KDR-2026-0000123",
        "service": "outdoor-advertising",
        "title": "Izin Penyelenggaraan Reklame",
        "number": "503/0001/REK/2026",
        "permit": "Izin Reklame",
        "holder": "Siti Aminah",
        "issued_on": date(2026, 3, 2),
        "valid_until": date(2027, 3, 1),
        "validity": "valid",
        "state": "fresh",
        "as_of": datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
        "check_url": URL,
    }
    return LicenceView(**{**fields, **changed})  # type: ignore[arg-type]  # a test's shorthand


def words_of(document: bytes) -> str:
    [page] = PdfReader(io.BytesIO(document)).pages
    return page.extract_text()


@pytest.mark.parametrize(
    ("language", "notice"),
    [("id", "bukan dokumen izin"), ("en", "no substitute for the document signed")],
)
def test_the_extract_says_what_it_is_in_the_readers_language(language: Language, notice: str) -> None:
    document = draw(licence(), language)
    assert document.startswith(b"%PDF-")
    words = " ".join(words_of(document).split())
    assert notice in words
    for expected in ("503/0001/REK/2026", "Siti Aminah", "2026-03-02", "2027-03-01", "2026-11-21 06:30 WIB"):
        assert expected in words


def test_the_extract_leads_to_the_public_check() -> None:
    [page] = PdfReader(io.BytesIO(draw(licence(), "id"))).pages
    links = [note.get_object()["/A"]["/URI"] for note in page.annotations or []]
    assert set(links) == {URL}
    # The QR code is drawn, not pictured: hundreds of filled rectangles.
    drawn = page.get_contents()
    assert drawn is not None
    assert drawn.get_data().count(b" re f") > 100


def test_only_a_last_proof_says_that_the_agency_was_not_reached() -> None:
    assert "cannot be reached" in " ".join(words_of(draw(licence(state="stale"), "en")).split())
    assert "cannot be reached" not in words_of(draw(licence(), "en"))


def test_letters_the_fonts_lack_do_not_stop_the_extract() -> None:
    assert "Cedomir ?" in words_of(draw(licence(holder="Čedomir 王", issued_on=None, valid_until=None), "id"))


def found(**changed: object) -> LicenceCheck:
    fields: dict[str, object] = {"number": "503/0001", "genuine": True, "validity": "valid", "permit": "Izin Reklame"}
    fields |= {"as_of": datetime(2026, 11, 20, tzinfo=UTC), "holder": "S*** A*****", "valid_until": date(2027, 3, 1)}
    return LicenceCheck(**{**fields, **changed})  # type: ignore[arg-type]  # a test's shorthand


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (found(), "Genuine and still valid"),
        (found(validity="expired"), "Genuine, but expired"),
        (found(validity="unknown", valid_until=None), "Registered"),
        (found(genuine=False, validity="unknown", permit=None, holder=None, valid_until=None), "Not a registered"),
        (None, "Cannot be checked now"),
    ],
)
def test_the_page_gives_one_verdict(check: LicenceCheck | None, verdict: str) -> None:
    page = check_page("503/0001", check, "en", ZONE).content
    assert f"<h1>{verdict}" in page
    assert page.count("<h1>") == 1
    assert '<html lang="en">' in page


def test_the_page_speaks_indonesian() -> None:
    page = check_page("503/0001", found(), "id", ZONE).content
    assert "<h1>Izin asli dan masih berlaku</h1>" in page
    assert "1 Mar 2027" in page
    assert "07.00 WIB" in page, "in the city's time"


def test_what_an_agency_wrote_stays_text() -> None:
    page = check_page("503/0001", found(permit="<script>alert(1)</script>", number='"><b>'), "id", ZONE).content
    assert "<script" not in page
    assert "<b>" not in page


def test_the_page_keeps_to_the_content_security_policy() -> None:
    page = check_page("503/0001", found(), "id", ZONE).content
    assert not [banned for banned in ("style=", "<style", "<script") if banned in page]
    assert 'class="notice good"' in page
