"""Photographs as telephones take them: with place, time and device in them."""

import io
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

SECRET = "Kamera Siti, nomor seri 4711"
KEDIRI: dict[int, Any] = {
    ExifTags.GPS.GPSLatitudeRef: "S",
    ExifTags.GPS.GPSLatitude: (7.0, 49.0, 12.5),
    ExifTags.GPS.GPSLongitudeRef: "E",
    ExifTags.GPS.GPSLongitude: (112.0, 0.0, 41.0),
}


def photo(kind: str = "JPEG", *, place: dict[int, Any] | None = None, orientation: int = 1, **given: Any) -> bytes:
    """A picture of many colours that tells where, when and with what it was taken."""
    image = Image.radial_gradient("L").convert("RGB").resize((64, 48))
    image.paste((200, 10, 30), (0, 0, 10, 20))
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = SECRET
    exif[ExifTags.Base.Orientation] = orientation
    shot: dict[int, Any] = {
        ExifTags.Base.DateTimeOriginal: given.get("taken", "2026:11:20 09:30:00"),
        ExifTags.Base.MakerNote: SECRET,
    }
    if "offset" in given:
        shot[ExifTags.Base.OffsetTimeOriginal] = given["offset"]
    exif.get_ifd(ExifTags.IFD.Exif).update(shot)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(KEDIRI if place is None else place)
    held = io.BytesIO()
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", SECRET)
    extra: dict[str, Any] = {"pnginfo": words} if kind == "PNG" else {"comment": SECRET, "quality": 90}
    image.save(held, kind, exif=exif, **extra)
    return held.getvalue()
