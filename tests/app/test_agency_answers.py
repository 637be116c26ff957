"""Untidy answers read: what stands before the JSON, who decides, numbers as text, times without zone."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from app.agency_answers import (
    Envelope,
    Fields,
    for_officers,
    gateway_fault,
    matching,
    moment,
    read_envelope,
    read_json,
    rows,
    text,
    whole,
)
from app.agency_client import Reply

WARNING = b'<br />\n<b>Notice</b>:  Undefined index: {"norm"} in <b>/var/www/api.php</b> on line <b>[84]</b><br />\n'
BOM = b"\xef\xbb\xbf"
PLAIN = b"Warning:  Undefined variable $x in /var/www/api.php on line 84\n"


@pytest.mark.parametrize(
    "before",
    [b"", BOM, BOM * 3, b"\r\n  ", b"\n \n" + BOM + b" \r\n", WARNING, WARNING * 3, WARNING + BOM, PLAIN],
    ids=repr,
)
def test_json_is_found_behind_what_stands_before_it(before: bytes) -> None:
    assert read_json(before + b'{"a": {"b": 1}} \n') == {"a": {"b": 1}}


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" ", b"\t\n ", b">", b"> ", BOM])
def test_blanks_without_end_are_read_once(blank: bytes) -> None:
    """Two megabytes of them took hours, in which a process of ours answered nobody."""
    body = blank * (2 * 1024 * 1024 // len(blank))
    began = time.process_time()
    assert read_json(body) is None
    assert read_json(body + b'\n{"a": 1}') == {"a": 1}
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"<html><body>[Database] error</body></html>",
        b'{"a": {"b": 1}',
        b'{"a": 1}<br />\n<b>Fatal error</b>: Allowed memory size exhausted',
        b"[" * 100_000,
        b'{"a": "\xff"}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_no_whole_json_is_none(body: bytes) -> None:
    assert read_json(body) is None


@pytest.mark.parametrize("key", ["metadata", "metaData", "Metadata", "METADATA"])
@pytest.mark.parametrize("code", ["201", 201, " 201 ", 201.0, "0201"])
@pytest.mark.parametrize("status", [200, 201, 500])
def test_the_envelope_decides_whatever_the_status(key: str, code: object, status: int) -> None:
    body = msgspec.json.encode({key: {"code": code, "message": "Poli tutup"}, "response": {"a": 1}})
    assert read_envelope(Reply(status, {}, body)) == Envelope(201, "Poli tutup", {"a": 1})


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"metadata": {}}', b'{"metadata": {"code": true}}', b'{"metadata":1}']
)
def test_no_code_is_no_envelope(body: bytes) -> None:
    assert read_envelope(Reply(200, {}, body)) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [(12, 12), ("12", 12), ("012", 12), (" 12 ", 12), (12.0, 12), ("12.00", 12), ("-1", -1), (0, 0)],
)
def test_whole_numbers_come_as_either(value: object, number: int) -> None:
    assert whole(value) == number


@pytest.mark.parametrize("value", ["", "A12", "12.5", 12.5, True, None, [], {}, "1e3", "9" * 19])
def test_no_number_is_invented(value: object) -> None:
    assert whole(value) is None


@pytest.mark.parametrize(("value", "shown"), [(" A ", "A"), (7, "7"), (None, ""), (True, ""), ({}, "")])
def test_text_of_anything(value: object, shown: str) -> None:
    assert text(value) == shown


@pytest.mark.parametrize("value", [1_795_392_600_000, "1795392600000", 1.7953926e12])
def test_milliseconds_stand_for_one_time_in_every_zone(value: object) -> None:
    expected = datetime(2026, 11, 23, 0, 10, tzinfo=UTC)
    assert {moment(value, ZoneInfo(f"Asia/{city}")) for city in ("Jakarta", "Jayapura")} == {expected}


@pytest.mark.parametrize(("city", "hour"), [("Jakarta", 1), ("Makassar", 0), ("Jayapura", 23)])
@pytest.mark.parametrize("written", ["2026-11-23 08:30:00", "2026-11-23T08:30:00", "2026-11-23 08:30"])
def test_a_time_without_zone_is_the_facilitys(city: str, hour: int, written: str) -> None:
    read = moment(written, ZoneInfo(f"Asia/{city}"))
    assert read is not None
    assert (read.tzinfo, read.hour, read.minute) == (UTC, hour, 30)


@pytest.mark.parametrize(
    "value", ["", "2026-11-23", "soon", 12, "1795392600", None, "9" * 13 + "0", "2026-13-41 08:30"]
)
def test_no_time_is_invented(value: object) -> None:
    assert moment(value, UTC) is None


def test_rows_from_a_list_or_one_object() -> None:
    assert rows({"a": 1}) == rows([{"a": 1}]) == rows([{"a": 1}, {}, 3, None]) == [{"a": 1}]
    assert rows(None) == rows([]) == rows("text") == []


def test_a_message_means_the_first_that_fits() -> None:
    meanings = [("full", ("kuota", "habis|penuh")), ("quota", ("kuota",)), ("nik", ("nik",))]
    said = ("Kuota  PENUH", "habis: kuotanya", "kuota?", "tutup", "NIK salah", "klinik salah")
    assert [matching(one, meanings) for one in said] == ["full", "full", "quota", "", "nik", ""]


def test_officers_see_no_numbers_of_people() -> None:
    said = "NIK 3571024505909001,\nkartu 0001234567801 sudah ambil A12 " + "x" * 300
    shown = for_officers(said)
    assert shown.startswith("NIK ***, kartu *** sudah ambil A12 xxx")
    assert len(shown) == 200


def test_why_a_value_is_none_is_told() -> None:
    fields = Fields({"a": "7", "b": "soon", "c": "", "d": None, "e": "-", "f": {}})
    assert [fields.whole(name, name) for name in "abcd"] == [7, None, None, None]
    assert fields.moment("when", "b", UTC) is None
    assert [fields.printed(f"printed_{name}", name) for name in "aefz"] == ["7", "", None, None]
    assert fields.missing == {
        "b": "unreadable",
        "c": "not_told",
        "d": "not_told",
        "when": "unreadable",
        "printed_f": "unreadable",
        "printed_z": "not_told",
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<am:fault xmlns:am='x'><am:message>Missing Credentials</am:message></am:fault>", "Missing Credentials"),
        (b"<e><Fault><faultstring>Peserta 3571024505909001</faultstring></Fault></e>", "Peserta ***"),
        (b"<!DOCTYPE html><html></html>", ""),
        (b'{"metaData": 1}', ""),
    ],
)
def test_what_a_gateway_says_in_xml(body: bytes, words: str) -> None:
    assert gateway_fault(body) == words
