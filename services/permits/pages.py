"""The page a phone shows after it scanned a licence's QR code."""

from app.papers import check as papers
from app.papers.check import Verdict
from app.texts import Language, text
from services.permits.schemas import LicenceCheck


def check_page(number: str, check: LicenceCheck | None, language: Language) -> str:
    """The answer for `number`; None: it cannot be given now."""
    answer = _answer(check)
    verdict = Verdict(
        kind=answer.replace("_", "-"),
        title=text("permits.check.title", language),
        answer=text(f"permits.check.{answer}", language),
        advice=text(f"permits.check.{answer}.advice", language),
        facts=[(text(f"permits.licence.{name}", language), value) for name, value in _facts(number, check)],
    )
    return papers.check_page(verdict, language)


def _answer(check: LicenceCheck | None) -> str:
    if check is None:
        return "unavailable"
    if not check.genuine:
        return "not_genuine"
    return "genuine" if check.validity == "unknown" else check.validity


def _facts(number: str, check: LicenceCheck | None) -> list[tuple[str, str]]:
    if check is None:
        return [("number", number)]
    return [
        ("number", check.number),
        ("permit", check.permit or ""),
        ("holder", check.holder or ""),
        ("issued_on", check.issued_on.isoformat() if check.issued_on else ""),
        ("valid_until", check.valid_until.isoformat() if check.valid_until else ""),
        ("as_of", check.as_of.strftime("%Y-%m-%d %H:%M UTC")),
    ]
