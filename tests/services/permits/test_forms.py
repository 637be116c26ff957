"""The permits' forms: what a right one looks like, and each condition between their fields."""

from pathlib import Path
from typing import Any

import pytest

from app.catalog.catalog import Catalog
from app.forms import Form
from app.settings import ROOT
from app.texts import LANGUAGES, has_text, load_texts

VILLAGE = "35.71.01.1001"
FILE = "0192f5d0-c0de-7000-8000-000000000001"
COMMON: dict[str, Any] = {
    "kind": "new",
    "purpose": "Usaha kedai kopi",
    "applicant_address": "Jl. Mawar No. 1, RT 02 RW 03",
    "applicant_village_code": VILLAGE,
    "documents": FILE,
    "declaration": True,
}
ADVERTISING = COMMON | {
    "applicant_type": "person",
    "advert_type": "banner",
    "advert_text": "Kedai Kopi Siti, buka setiap hari",
    "width_m": 4.25,
    "height_m": 1,
    "sides": 1,
    "units": 2,
    "location_address": "Jl. Dhoho, depan stasiun",
    "location_village_code": "35.71.02.1004",
    "land_status": "own",
    "starts_on": "2026-12-01",
    "ends_on": "2026-12-31",
    "requirements_met": ["identity_card", "location_plan", "design"],
}
BUSINESS = {
    "applicant_type": "business",
    "business_name": "PT Kopi Kediri",
    "business_tax_number": "012345678901000",
    "business_address": "Jl. Dhoho 10",
}
PRACTICE = COMMON | {
    "registration_number": "ZV00001234567890",
    "registration_term": "lifetime",
    "practice_number": 1,
    "practice_setting": "hospital",
    "business_name": "RSUD Gambiran",
    "business_address": "Jl. KH Wahid Hasyim 64",
    "business_village_code": VILLAGE,
    "requirements_met": ["identity_card", "registration_certificate", "place_statement", "photograph"],
}
RESEARCH = COMMON | {
    "researcher_type": "university",
    "business_name": "Universitas Brawijaya",
    "business_address": "Jl. Veteran, Malang",
    "supervisor": "Dr. Dewi",
    "topic": "Pengaruh ruang terbuka hijau pada kesehatan lansia",
    "field": "health",
    "method": "Wawancara dengan 100 warga lansia",
    "location": "Kelurahan Mojoroto dan Puskesmas Sukorame",
    "team_size": 3,
    "starts_on": "2026-12-01",
    "ends_on": "2027-03-31",
    "requirements_met": [
        "identity_card",
        "proposal",
        "obey_statement",
        "validity_statement",
        "introduction_letter",
    ],
}
RIGHT = {
    "outdoor-advertising": ADVERTISING,
    "nurse-practice-licence": PRACTICE,
    "midwife-practice-licence": PRACTICE,
    "pharmacist-practice-licence": PRACTICE,
    "research-permit": RESEARCH,
}
Faults = set[tuple[str, str]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load("kediri")


def form_of(catalog: Catalog, slug: str) -> Form:
    form = catalog.form(slug)
    assert form is not None
    return form


def faults(catalog: Catalog, slug: str, changes: dict[str, Any]) -> Faults:
    filled = {name: value for name, value in (RIGHT[slug] | changes).items() if value is not None}
    return {(fault.pointer, fault.code) for fault in form_of(catalog, slug).errors(filled)}


def test_every_permit_asked_for_here_has_a_right_form(catalog: Catalog) -> None:
    ours = {one.slug for one in catalog.services() if one.module == "permits" and one.manifest.mode == "api"}
    assert ours == set(RIGHT)
    for slug in ours:
        assert faults(catalog, slug, {}) == set(), slug


@pytest.mark.parametrize("slug", sorted(RIGHT))
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "renewal"}, ("/old_licence_number", "required")),
        ({"old_licence_number": "503/1/2025"}, ("/old_licence_number", "not_applicable")),
        ({"declaration": False}, ("/declaration", "not_accepted")),
        ({"applicant_village_code": "33.76.01.1001"}, ("/applicant_village_code", "enum")),
        ({"applicant_village_code": "Mojoroto"}, ("/applicant_village_code", "pattern")),
        ({"documents": "ktp.pdf"}, ("/documents", "attachment_id_invalid")),
        ({"documents": None}, ("/documents", "required")),
        ({"requirements_met": []}, ("/requirements_met", "min_items")),
        ({"requirements_met": ["identity_card"] * 2}, ("/requirements_met", "not_unique")),
        ({"purpose": " " * 10}, ("/purpose", "required")),
        ({"applicant_address": "x" * 201}, ("/applicant_address", "max_length")),
        ({"nik": "3571024505909001"}, ("/nik", "unknown_field")),
    ],
)
def test_what_all_permits_ask(catalog: Catalog, slug: str, changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in faults(catalog, slug, changes)


@pytest.mark.parametrize(
    ("slug", "changes", "expected"),
    [
        ("outdoor-advertising", BUSINESS, set()),
        ("outdoor-advertising", {"applicant_type": "business"}, {
            ("/business_name", "required"),
            ("/business_tax_number", "required"),
            ("/business_address", "required"),
        }),
        ("outdoor-advertising", {"business_name": "PT Kopi"}, {("/business_name", "not_applicable")}),
        ("outdoor-advertising", BUSINESS | {"business_tax_number": "1.2"}, {("/business_tax_number", "pattern")}),
        ("outdoor-advertising", {"advert_type": "billboard"}, {("/construction_height_m", "required")}),
        ("outdoor-advertising", {"land_status": "public"}, {
            ("/land_owner", "required"),
            ("/requirements_met", "choice_missing"),
        }),
        ("outdoor-advertising", {"width_m": 0}, {("/width_m", "exclusive_minimum")}),
        ("outdoor-advertising", {"width_m": 1.005}, {("/width_m", "multiple_of")}),
        ("outdoor-advertising", {"units": 1.5}, {("/units", "type")}),
        ("outdoor-advertising", {"ends_on": "2026-02-30"}, {("/ends_on", "date_invalid")}),
        ("nurse-practice-licence", {"practice_number": 4}, {("/practice_number", "maximum")}),
        ("nurse-practice-licence", {"registration_term": "dated"}, {("/registration_valid_until", "required")}),
        ("nurse-practice-licence", {"practice_setting": "other"}, {("/practice_setting_other", "required")}),
        ("nurse-practice-licence", {"registration_number": "?"}, {("/registration_number", "pattern")}),
        ("nurse-practice-licence", {"kind": "renewal", "old_licence_number": "503/1/SIPP"}, {
            ("/requirements_met", "choice_missing"),
        }),
        ("nurse-practice-licence", {
            "kind": "renewal",
            "old_licence_number": "503/1/SIPP",
            "requirements_met": [*PRACTICE["requirements_met"], "old_licence", "credit_proof"],
        }, set()),
        ("research-permit", {"researcher_type": "individual"}, {
            ("/business_name", "not_applicable"),
            ("/business_address", "not_applicable"),
            ("/supervisor", "not_applicable"),
        }),
        ("research-permit", {"team_size": 0}, {("/team_size", "minimum")}),
        ("research-permit", {"requirements_met": ["identity_card"]}, {("/requirements_met", "choice_missing")}),
    ],
)  # fmt: skip
def test_each_permit_s_own_conditions(catalog: Catalog, slug: str, changes: dict[str, Any], expected: Faults) -> None:
    assert faults(catalog, slug, changes) == expected


def test_the_file_field_holds_one_pdf_of_what_sicantik_takes(catalog: Catalog) -> None:
    for slug, filled in RIGHT.items():
        [file] = form_of(catalog, slug).file_fields(filled)
        assert (str(file.attachment_id), file.accept, file.max_bytes) == (FILE, ("application/pdf",), 2_048_000), slug


def test_every_fault_has_its_words_in_both_languages() -> None:
    load_texts(ROOT / "app")
    codes = {
        "required", "type", "enum", "format", "pattern", "date_invalid", "attachment_id_invalid", "min_length",
        "max_length", "minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of", "min_items",
        "max_items", "not_unique", "choice_missing", "not_accepted", "not_applicable", "unknown_field",
        "control_character", "invalid", "unsaid",
    }  # fmt: skip
    assert LANGUAGES == ("id", "en")
    assert not [code for code in codes if not has_text(f"field.{code}")]


def test_forms_stand_beside_the_manifest() -> None:
    used = {one.manifest.form for one in Catalog.load("kediri").services() if one.module == "permits"} - {""}
    files = {path.name.split(".", maxsplit=1)[0] for path in Path(ROOT, "services/permits/forms").glob("*.json")}
    assert used == files
