"""The page a phone shows after it scanned a licence's QR code: plain HTML and one stylesheet, no script."""

from html import escape
from pathlib import Path
from string import Template

from app.texts import Language, text
from services.permits.schemas import LicenceCheck

STYLE = Path(__file__).with_name("check.css").read_text("utf-8")

_PAGE = Template(Path(__file__).with_name("check.html").read_text("utf-8"))


def check_page(number: str, check: LicenceCheck | None, language: Language) -> str:
    """The answer for `number`; None: it cannot be given now."""
    verdict = _verdict(check)
    filled = {
        "language": language,
        "verdict": verdict.replace("_", "-"),
        "title": text("permits.check.title", language),
        "answer": text(f"permits.check.{verdict}", language),
        "advice": text(f"permits.check.{verdict}.advice", language),
    }
    rows = "".join(
        f"<dt>{escape(text(f'permits.licence.{name}', language))}</dt><dd>{escape(value)}</dd>"
        for name, value in _facts(number, check)
    )
    return _PAGE.substitute({name: escape(value) for name, value in filled.items()}, rows=rows)


def _verdict(check: LicenceCheck | None) -> str:
    if check is None:
        return "unavailable"
    if not check.genuine:
        return "not_genuine"
    return "genuine" if check.validity == "unknown" else check.validity


def _facts(number: str, check: LicenceCheck | None) -> list[tuple[str, str]]:
    if check is None:
        return [("number", number)]
    facts = [
        ("number", check.number),
        ("permit", check.permit or ""),
        ("holder", check.holder or ""),
        ("issued_on", check.issued_on.isoformat() if check.issued_on else ""),
        ("valid_until", check.valid_until.isoformat() if check.valid_until else ""),
        ("as_of", check.as_of.strftime("%Y-%m-%d %H:%M UTC")),
    ]
    return [(name, value) for name, value in facts if value]
