"""The module's own rules, and what of a case is handed over: the photo's own word first, and nothing hidden in it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.cases.photos import PhotoFacts, photo_facts
from app.cases.port import Applicant, CaseData, File, Receipt
from app.catalog.city import load_city
from app.forms import load_forms
from app.ids import uuid7
from app.settings import ROOT
from services.social_aid.cases import WIB, SocialAidCases
from services.social_aid.port import AidRequest, Photo
from tests.harness.aid import CHILDREN, SITI, AgencyDouble, certificate, objection, proposal
from tests.harness.cases import PDF
from tests.harness.photos import SECRET, photo

APPLICANT = Applicant(uuid7(), SITI, "Siti Aminah", date(1990, 5, 5), "+6281290019001", 2)
FORMS = load_forms(ROOT / "services" / "social_aid" / "forms", load_city("kediri").options())
PHOTOS = {"with_photos": "yes", "photo_front": str(uuid7()), "photo_consent": True}


class Agency(AgencyDouble):
    """Keeps what was handed over."""

    def __init__(self) -> None:
        self.taken: list[AidRequest] = []

    async def submit(self, request: AidRequest) -> Receipt:
        self.taken.append(request)
        return Receipt("SGH-1")


def picture(field: str = "photo_front", **told: Any) -> File:
    return File(uuid7(), field, "rumah.jpg", "image/jpeg", photo(**told))


async def handed_over(service: str, form: dict[str, Any], files: Sequence[File] = ()) -> AidRequest:
    agency = Agency()
    case = CaseData(uuid7(), "3571-26-0000001-1", service, form, APPLICANT, files, datetime.now(UTC))
    await SocialAidCases(agency).submit(case)
    return agency.taken[0]


async def photo_of(told: dict[str, Any], form: dict[str, Any]) -> Photo:
    request = await handed_over("aid-objection", objection(**PHOTOS, **form), [picture(**told)])
    return request.photos[0]


async def test_what_the_photo_itself_says_comes_first_and_is_said_to() -> None:
    filled_in = {"photo_latitude": -7.9, "photo_longitude": 112.1, "photo_taken_at": "2026-11-01T08:00"}
    given = await photo_of({}, filled_in)
    assert (given.latitude, given.longitude, given.place_source) == (-7.820139, 112.011389, "photo")
    assert (given.taken_at, given.time_source) == (datetime(2026, 11, 20, 2, 30, tzinfo=UTC), "photo")


async def test_what_the_photo_does_not_say_is_taken_from_the_form_and_said_to() -> None:
    filled_in = {"photo_latitude": -7.9, "photo_longitude": 112.1, "photo_taken_at": "2026-11-01T08:00"}
    given = await photo_of({"place": {}, "taken": ""}, filled_in)
    assert (given.latitude, given.longitude, given.place_source) == (-7.9, 112.1, "citizen")
    assert (given.taken_at, given.time_source) == (datetime(2026, 11, 1, 8, tzinfo=WIB), "citizen")


async def test_what_nobody_says_is_not_known() -> None:
    given = await photo_of({"place": {}, "taken": ""}, {})
    assert (given.latitude, given.longitude, given.place_source) == (None, None, "unknown")
    assert (given.taken_at, given.time_source) == (None, "unknown")


async def test_nothing_hidden_in_a_photo_or_paper_is_handed_over() -> None:
    files = [picture(), picture("documents"), File(uuid7(), "documents", "kk.pdf", "application/pdf", PDF)]
    request = await handed_over("aid-objection", objection(**PHOTOS), files)
    contents = [*(each.content for each in request.photos), *(each.content for each in request.files)]
    assert len(contents) == 3
    assert not [content for content in contents if SECRET.encode() in content]
    assert photo_facts(contents[0], ZoneInfo("Asia/Jakarta")) == PhotoFacts()
    assert request.files[1].content == PDF


async def test_each_kind_is_handed_over_with_what_it_is_about() -> None:
    asked = await handed_over("aid-household-proposal", proposal())
    assert (asked.kind, asked.village_code, asked.extra["monthly_income_idr"]) == (
        "proposal",
        "35.71.02.1005",
        400_000,
    )
    asked = await handed_over("decile-certificate", certificate())
    assert (asked.kind, asked.purpose, asked.address) == ("certificate", "school_admission", "")
    assert asked.extra == {"for_name": "Rizky Wijaya"}
    asked = await handed_over("aid-objection", objection(about="payment", programme="PKH"))
    assert (asked.kind, asked.about, asked.programme) == ("objection", "payment", "PKH")
    assert "declaration" not in asked.extra


@pytest.mark.parametrize(
    ("changed", "pointer", "code"),
    [
        ({"photo_latitude": -7.8}, "/form/photo_longitude", "required"),
        ({"photo_longitude": 112.0}, "/form/photo_latitude", "required"),
        ({"photo_taken_at": "2026-13-40T25:61"}, "/form/photo_taken_at", "date_invalid"),
        ({"photo_taken_at": "2999-01-01T00:00"}, "/form/photo_taken_at", "photo_in_future"),
        ({"decided_on": "2999-01-01"}, "/form/decided_on", "decision_in_future"),
    ],
)
def test_what_a_schema_cannot_say_is_refused(changed: dict[str, Any], pointer: str, code: str) -> None:
    form = objection(**PHOTOS, **changed)
    assert FORMS["aid-objection"][1].errors(form) == []
    [fault] = SocialAidCases(Agency()).check("aid-objection", form, APPLICANT)
    assert (fault.pointer, fault.code) == (pointer, code)


def test_what_is_right_is_taken() -> None:
    today = datetime.now(WIB)
    form = objection(
        **PHOTOS,
        photo_latitude=-7.8,
        photo_longitude=112.0,
        photo_taken_at=(today - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M"),
        decided_on=today.date().isoformat(),
    )
    assert list(SocialAidCases(Agency()).check("aid-objection", form, APPLICANT)) == []


@pytest.mark.parametrize(
    ("name", "form", "codes"),
    [
        ("aid-objection", objection(with_photos="yes"), {"required"}),
        ("aid-objection", objection(photo_front=str(uuid7())), {"not_applicable"}),
        ("aid-objection", objection(**(PHOTOS | {"photo_consent": False})), {"not_accepted"}),
        ("aid-objection", objection(about="programme"), {"required"}),
        ("aid-objection", objection(reason="   "), {"required"}),
        ("aid-objection", objection(reason="x" * 1_001), {"max_length"}),
        ("aid-objection", objection(village_code="35.76.02.1005"), {"enum"}),
        ("aid-objection", objection(about="neighbour"), {"enum"}),
        ("aid-objection", objection(rt="01'--"), {"pattern", "max_length"}),
        ("household-proposal", proposal(family_card_number="357101010175999"), {"pattern"}),
        ("household-proposal", proposal(monthly_income_idr=-1), {"minimum"}),
        ("household-proposal", proposal(neighbours_nik=CHILDREN[0]), {"unknown_field"}),
        ("decile-certificate", certificate(certificate_consent=False), {"not_accepted"}),
        ("decile-certificate", certificate(purpose="other"), {"required"}),
    ],
)
def test_a_form_that_does_not_fit_says_why(name: str, form: dict[str, Any], codes: set[str]) -> None:
    assert {fault.code for fault in FORMS[name][1].errors(form)} == codes


def test_one_matter_of_a_kind_for_a_person_is_under_way_at_a_time() -> None:
    handler = SocialAidCases(Agency())
    lanes = {handler.lane(service, APPLICANT, {}) for service in ("aid-objection", "decile-certificate")}
    assert len(lanes) == 2
    assert handler.lane("aid-objection", APPLICANT, {}) == handler.lane("aid-objection", APPLICANT, objection())
