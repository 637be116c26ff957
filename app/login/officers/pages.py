"""Officers' pages as HTML: templates of ours, no script, and words from texts.toml."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

from app.texts import Language, text

_HERE = Path(__file__).parent
STYLE = (_HERE / "style.css").read_text("utf-8")
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    # Not no-referrer: with that a browser hides the Origin of our own forms, by which we know them.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie",
}


def page(name: str, language: Language, values: Mapping[str, object], *, status: int = 200) -> Response[str]:
    """The page `name` in one language."""

    def said(key: str, **filled: object) -> str:
        return text(f"officers.{key}", language, filled or None)

    html = _TEMPLATES.get_template(f"{name}.html").render(
        said=said, language=language, name=name, **{"problem": "", **values}
    )
    headers = {**_HEADERS, "Content-Language": language}
    return Response(html, status_code=status, media_type="text/html", headers=headers)


def qr_code(content: str) -> str:
    """As SVG that needs no style of its own, dark on light whatever the page's colours."""
    drawn: Any = segno.make(content, error="m")
    svg: str = drawn.svg_inline(scale=5, border=4, dark="#000000", light="#ffffff", svgclass="qr", lineclass=None)
    return svg


def local_time(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%d-%m-%Y %H.%M %Z")
