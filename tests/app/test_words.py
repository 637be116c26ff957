"""What people write has something to read in it: blanks alone are refused, in the API as in forms."""

import json
import re
import time

import pytest

from app.words import SAID, SAID_ON_ONE_LINE, SAID_OR_NOTHING
from tests.harness.cases import hand_in, new_key
from tests.harness.officers import Officers
from tests.harness.people import Citizen

BLANK = [
    " " * 9,
    "\t\n\r\n     ",
    "\u00a0" * 9,
    "\u3000" * 9,
    "\u200b\u2060\ufeff" * 3,
    "\u2800" * 9,
    "\u202e     \u202c",
]
SAYS = ["Tinggi?", "  Di Jl. Melati 5.", "a\u00a0b", "\u00fc", "\U0001f44d", "\u4f60\u597d", "."]


@pytest.mark.parametrize("pattern", [SAID, SAID_OR_NOTHING, SAID_ON_ONE_LINE])
def test_blanks_say_nothing(pattern: str) -> None:
    assert [each for each in BLANK if re.search(pattern, each)] == []
    assert [each for each in SAYS if not re.search(pattern, each)] == []
    assert not re.search(pattern, "Tinggi\x0b?")
    assert bool(re.search(pattern, "")) is (pattern is SAID_OR_NOTHING)
    assert bool(re.search(pattern, "Satu\nDua")) is (pattern is not SAID_ON_ONE_LINE)


@pytest.mark.parametrize("worst", [" " * 100_000, "a" * 100_000 + "\x07", " a" * 50_000 + "\x07"])
def test_no_text_takes_long(worst: str) -> None:
    began = time.process_time()
    for pattern in (SAID, SAID_OR_NOTHING, SAID_ON_ONE_LINE):
        assert not re.search(pattern, worst)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("blank", BLANK)
async def test_officers_say_something(citizen: Citizen, officers: Officers, blank: str) -> None:
    case = await hand_in(citizen)
    officer, admin = await officers.make("supervisor"), await officers.make("city_admin")
    place = f"/v1/officer/cases/{case['id']}"
    for sender, path, field in (
        (officer, f"{place}/notes", "words"),
        (officer, f"{place}/questions", "question"),
        (officer, "/v1/officer/backends/sicantik/pause", "reason"),
        (admin, f"/v1/officer/officers/{officer.id}/recovery", "reason"),
        (officer, "/v1/officer/views", "name"),
    ):
        body: dict[str, object] = {field: blank} | ({"filters": {}} if field == "name" else {})
        answer = await sender.post(path, body)
        assert answer.status_code == 422, path
        [fault] = answer.json()["errors"]
        assert (fault["pointer"], fault["code"]) == (f"/{field}", "unsaid"), path
        assert fault["detail"].startswith("Tulis dengan kata-kata")


@pytest.mark.parametrize("blank", BLANK)
async def test_citizens_say_something(citizen: Citizen, blank: str) -> None:
    case = await hand_in(citizen)
    for path, body, field in (
        ("answers", {"answer": blank}, "answer"),
        ("withdraw", {"reason": blank}, "reason"),
        ("rating", {"score": 5, "comment": blank}, "comment"),
    ):
        answer = await citizen.post(f"/v1/cases/{case['id']}/{path}", body, key=new_key())
        assert answer.status_code == 422, answer.text
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(f"/{field}", "unsaid")]


async def test_the_contract_says_so(citizen: Citizen) -> None:
    told = (await citizen.client.get("/openapi.json")).json()["components"]["schemas"]
    assert json.loads(json.dumps(told["Answer"]))["properties"]["answer"]["pattern"] == SAID
