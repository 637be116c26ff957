"""What a photograph itself tells of where and when it was taken, and the same picture without any of that."""

import io
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

import msgspec
from PIL import ExifTags, Image

PHOTO_TYPES = ("image/jpeg", "image/png")

_JPEG_HEAD, _PNG_HEAD = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
# In a JPEG's compressed data FF is followed by 00 or by a restart mark; anything else begins the next segment.
_NEXT_MARK = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END = 0xDA, 0xD9
# What a picture needs to look the same: JFIF, colour profile, Adobe's colour transform. All other APPn tell tales.
_NEEDED_MARKS = frozenset({0xE0, 0xE2, 0xEE})
_COMMENT = 0xFE
_ICC = b"ICC_PROFILE\0"
_PNG_TALES = frozenset({b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"tIME"})
_UPRIGHT = 1


class PhotoFacts(msgspec.Struct, frozen=True):
    """Place (WGS 84, degrees) and time; None where the photograph does not say."""

    latitude: float | None = None
    longitude: float | None = None
    taken_at: datetime | None = None


def photo_facts(content: bytes, zone: tzinfo) -> PhotoFacts:
    """What its EXIF data say; nothing where there are none, or none that can be read. `zone` is where a camera that
    names no time zone is taken to be."""
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as image:
            exif = image.getexif()
            place, shot = exif.get_ifd(ExifTags.IFD.GPSInfo), exif.get_ifd(ExifTags.IFD.Exif)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return PhotoFacts()
    latitude = _degrees(place, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, 90.0)
    longitude = _degrees(place, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, 180.0)
    taken_at = _moment(shot, zone)
    # Null island is where a phone without a fix puts everything.
    if latitude is None or longitude is None or (latitude, longitude) == (0.0, 0.0):
        return PhotoFacts(taken_at=taken_at)
    return PhotoFacts(latitude, longitude, taken_at)


def without_metadata(content: bytes) -> bytes:
    """The same picture, to the pixel, without place, time, device or words in it; which way up it is stays. What is no
    JPEG or PNG comes back as it is."""
    if content.startswith(_JPEG_HEAD):
        return b"".join(_bare_jpeg(content))
    if content.startswith(_PNG_HEAD):
        return b"".join(_bare_png(content))
    return content


def _degrees(place: Mapping[int, Any], value: int, reference: int, most: float) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in place[value])
        found = degrees + minutes / 60 + seconds / 3600
        side = str(place.get(reference, ""))[:1].upper()
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not math.isfinite(found) or not 0 <= found <= most:
        return None
    return round(-found if side in ("S", "W") else found, 6)


def _moment(shot: Mapping[int, Any], zone: tzinfo) -> datetime | None:
    written = str(shot.get(ExifTags.Base.DateTimeOriginal, "")).strip("\0 ")
    offset = str(shot.get(ExifTags.Base.OffsetTimeOriginal, "")).strip("\0 ")
    for text, form in ((written + offset, "%Y:%m:%d %H:%M:%S%z"), (written, "%Y:%m:%d %H:%M:%S")):
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - the next line gives it a zone
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=zone)
    return None


def _bare_jpeg(content: bytes) -> Iterator[bytes]:
    """Segment by segment up to the picture's end; what phones hang behind it (another picture, a film) is left out."""
    yield _JPEG_HEAD
    if (turned := _orientation(content)) != _UPRIGHT:
        yield _exif_of(turned)
    at = len(_JPEG_HEAD)
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != _END:
        mark = content[at + 1]
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        if mark == _SCAN:
            following = _NEXT_MARK.search(content, end)
            end = following.start() if following else len(content)
        if _is_needed(mark, content[at + 4 : at + 4 + len(_ICC)]):
            yield content[at:end]
        at = end
    yield bytes((0xFF, _END))


def _is_needed(mark: int, head: bytes) -> bool:
    if mark == 0xE2:
        return head == _ICC
    return mark != _COMMENT and (mark in _NEEDED_MARKS or not 0xE0 <= mark <= 0xEF)


def _orientation(content: bytes) -> int:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, _UPRIGHT)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return _UPRIGHT
    return turned if isinstance(turned, int) and 1 <= turned <= 8 else _UPRIGHT


def _exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    body = exif.tobytes()
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body


def _bare_png(content: bytes) -> Iterator[bytes]:
    yield _PNG_HEAD
    at = len(_PNG_HEAD)
    while at + 8 <= len(content):
        kind = content[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(content[at : at + 4])
        if kind not in _PNG_TALES:
            yield content[at:end]
        at = end
        if kind == b"IEND":
            return
