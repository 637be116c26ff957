"""Photographs: place and time are read where they are, and nothing but the picture goes on to others."""

import io
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from PIL import ExifTags, Image

from app.cases.attachments import prove
from app.cases.photos import PhotoFacts, photo_facts, without_metadata
from tests.harness.photos import KEDIRI, SECRET, photo

WIB = ZoneInfo("Asia/Jakarta")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_place_and_time_are_read_from_the_photograph(kind: str) -> None:
    told = photo_facts(photo(kind), WIB)
    assert (told.latitude, told.longitude) == (-7.820139, 112.011389)
    assert told.taken_at == datetime(2026, 11, 20, 2, 30, tzinfo=UTC)


def test_a_camera_that_names_its_zone_is_believed() -> None:
    assert photo_facts(photo(offset="+08:00"), WIB).taken_at == datetime(2026, 11, 20, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "place",
    [
        {},
        {**KEDIRI, ExifTags.GPS.GPSLatitude: (97.0, 0.0, 0.0)},
        {**KEDIRI, ExifTags.GPS.GPSLatitude: (0.0, 0.0, 0.0), ExifTags.GPS.GPSLongitude: (0.0, 0.0, 0.0)},
        {ExifTags.GPS.GPSLatitude: (7.0, 49.0, 12.5)},
    ],
)
def test_a_place_that_is_none_is_not_told(place: dict[int, Any]) -> None:
    told = photo_facts(photo(place=place), WIB)
    assert (told.latitude, told.longitude) == (None, None)
    assert told.taken_at is not None


@pytest.mark.parametrize("taken", ["", "0000:00:00 00:00:00", "kemarin"])
def test_a_time_that_is_none_is_not_told(taken: str) -> None:
    assert photo_facts(photo(taken=taken), WIB).taken_at is None


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe1\x00", b"%PDF-1.4 no picture", photo()[:300]])
def test_what_cannot_be_read_tells_nothing(content: bytes) -> None:
    assert photo_facts(content, WIB) in (PhotoFacts(), photo_facts(photo(), WIB))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_nothing_but_the_picture_goes_on(kind: str) -> None:
    whole = photo(kind)
    bare = without_metadata(whole + b"\xff\xd8 and a film behind it " + SECRET.encode())
    assert SECRET.encode() in whole
    assert SECRET.encode() not in bare
    assert b"2026:11:20" not in bare
    assert photo_facts(bare, WIB) == PhotoFacts()
    assert prove(bare) == f"image/{kind.lower()}"
    with Image.open(io.BytesIO(whole)) as before, Image.open(io.BytesIO(bare)) as after:
        assert before.tobytes() == after.tobytes()


def test_which_way_up_it_is_stays() -> None:
    with Image.open(io.BytesIO(without_metadata(photo(orientation=6)))) as turned:
        assert turned.getexif()[ExifTags.Base.Orientation] == 6


def test_a_progressive_photograph_stays_whole() -> None:
    held = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(held, "JPEG", progressive=True, quality=60)
    bare = without_metadata(held.getvalue())
    with Image.open(io.BytesIO(held.getvalue())) as before, Image.open(io.BytesIO(bare)) as after:
        assert before.tobytes() == after.tobytes()


def test_what_is_no_photograph_stays_as_it_is() -> None:
    assert without_metadata(b"%PDF-1.4") == b"%PDF-1.4"
