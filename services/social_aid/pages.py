"""The page a phone shows after it scanned a certificate's QR code."""

from app.papers import check as papers
from app.papers.check import Verdict
from app.texts import Language, text
from services.social_aid.schemas import CertificateCheck


def check_page(number: str, check: CertificateCheck | None, language: Language) -> str:
    """The answer for `number`; None: it cannot be given now."""
    answer = _answer(check)
    verdict = Verdict(
        kind=answer.replace("_", "-"),
        title=text("social_aid.check.title", language),
        answer=text(f"social_aid.check.{answer}", language),
        advice=text(f"social_aid.check.{answer}.advice", language),
        facts=[(text(f"social_aid.certificate.{name}", language), value) for name, value in _facts(number, check)],
    )
    return papers.check_page(verdict, language)


def _answer(check: CertificateCheck | None) -> str:
    if check is None:
        return "unavailable"
    if not check.genuine:
        return "not_genuine"
    return "genuine" if check.validity == "unknown" else check.validity


def _facts(number: str, check: CertificateCheck | None) -> list[tuple[str, str]]:
    if check is None:
        return [("number", number)]
    return [
        ("number", check.number),
        ("holder", check.holder or ""),
        ("decile", str(check.decile or "")),
        ("purpose", check.purpose or ""),
        ("issued_by", check.issued_by or ""),
        ("issued_on", check.issued_on.isoformat() if check.issued_on else ""),
        ("valid_until", check.valid_until.isoformat() if check.valid_until else ""),
        ("as_of", check.as_of.strftime("%Y-%m-%d %H:%M UTC")),
    ]
