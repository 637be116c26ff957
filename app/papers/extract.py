"""An extract as PDF: what the agency's system says of what it issued, and a QR code that leads to the public check."""

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import TYPE_CHECKING

import msgspec
import segno

from app.texts import Language

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN_MM = 20
_LABEL_MM = 52
_QR_MM = 42
_LINE_MM = 7


class Extract(msgspec.Struct, frozen=True, kw_only=True):
    """All that stands on it. `facts`: labels with their values; `remark`: what a reader must know of them, "" for
    nothing; `check`: what the QR code is for."""

    title: str
    subtitle: str
    notice: str
    facts: Sequence[tuple[str, str]]
    remark: str
    check: str
    check_url: str
    as_of: datetime


def draw(extract: Extract, language: Language) -> bytes:
    """One page. Takes tens of milliseconds, the first time half a second: call it off the event loop."""
    from fpdf import FPDF  # noqa: PLC0415 - 0.7 s of CPU and 40 MB that a process without extracts is spared

    page = FPDF(format="A4")
    page.set_margin(_MARGIN_MM)
    page.set_lang(language)
    page.set_title(_printable(extract.title))
    page.set_creation_date(extract.as_of)
    page.add_page()
    _head(page, extract)
    _facts(page, extract)
    _check(page, extract)
    return bytes(page.output())


def shown_day(day: date | None) -> str:
    return day.isoformat() if day else "-"


def shown_moment(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def _head(page: "FPDF", extract: Extract) -> None:
    page.set_font("Helvetica", "B", 16)
    page.multi_cell(0, 9, _printable(extract.title), align="L", new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "", 12)
    page.multi_cell(0, _LINE_MM, _printable(extract.subtitle), align="L", new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "I", 10)
    page.multi_cell(0, 6, _printable(extract.notice), align="L", new_x="LMARGIN", new_y="NEXT")
    page.ln(4)


def _facts(page: "FPDF", extract: Extract) -> None:
    for label, value in extract.facts:
        page.set_font("Helvetica", "", 11)
        page.cell(_LABEL_MM, _LINE_MM, _printable(label))
        page.set_font("Helvetica", "B", 11)
        page.multi_cell(0, _LINE_MM, _printable(value), align="L", new_x="LMARGIN", new_y="NEXT")
    if extract.remark:
        page.ln(2)
        page.set_font("Helvetica", "I", 10)
        page.multi_cell(0, 6, _printable(extract.remark), align="L", new_x="LMARGIN", new_y="NEXT")


def _check(page: "FPDF", extract: Extract) -> None:
    page.ln(6)
    top = page.get_y()
    _draw_qr(page, extract.check_url, top)
    page.set_xy(_MARGIN_MM + _QR_MM + 6, top + 6)
    page.set_font("Helvetica", "", 10)
    left = page.get_x()
    page.multi_cell(0, 6, _printable(extract.check), align="L", new_x="LEFT", new_y="NEXT")
    page.set_x(left)
    page.set_font("Courier", "", 8)
    page.multi_cell(0, 5, extract.check_url, link=extract.check_url)


def _draw_qr(page: "FPDF", content: str, top_mm: float) -> None:
    """Each row's runs of dark modules as one rectangle: no picture, no seams, sharp in print."""
    code = segno.make(content, error="m", micro=False)
    rows = list(code.matrix)
    side_mm = _QR_MM / len(rows)
    page.set_fill_color(0, 0, 0)
    for line, row in enumerate(rows):
        begin = 0
        while begin < len(row):
            end = begin
            while end < len(row) and row[end]:
                end += 1
            if end > begin:
                page.rect(
                    _MARGIN_MM + begin * side_mm, top_mm + line * side_mm, (end - begin) * side_mm, side_mm, style="F"
                )
            begin = end + 1


def _printable(words: str) -> str:
    """The PDF's built-in fonts know Latin-1: other letters lose their marks, and what is still unknown becomes `?`."""
    try:
        words.encode("latin-1")
    except UnicodeEncodeError:
        bare = "".join(sign for sign in unicodedata.normalize("NFKD", words) if not unicodedata.combining(sign))
        return bare.encode("latin-1", "replace").decode("latin-1")
    return words
