"""The provider's pages: HTML made here, without any script, under a policy that lets forms go to us and one client."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

from app.texts import LANGUAGES, Language, text

STYLE = Path(__file__).with_name("style.css").read_text("utf-8")
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def page(
    name: str, language: Language, values: Mapping[str, object], *, status: int = 200, way_out: str = ""
) -> Response[str]:
    """`way_out`: the origin that a form's answer may lead to; Chromium holds `form-action` over redirects too."""

    def said(key: str, **filled: object) -> str:
        return text(f"provider.{key}", language, filled or None)

    html = _TEMPLATES.get_template(f"{name}.html").render(
        said=said, language=language, languages=LANGUAGES, name=name, **{"title_key": f"{name}.title", **values}
    )
    return Response(html, status_code=status, media_type="text/html", headers=_headers(language, way_out))


def _headers(language: Language, way_out: str) -> dict[str, Any]:
    forms = f"'self' {way_out}".strip()
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        f"form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie",
    }
