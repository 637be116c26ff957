"""The page a phone shows after it scanned a certificate's QR code."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from litestar import Response

from app.papers import check as papers
from app.papers.check import Verdict, kind_of
from app.texts import Language, text
from services.social_aid.schemas import CertificateCheck


def check_page(number: str, check: CertificateCheck | None, language: Language, zone: ZoneInfo) -> Response[str]:
    """The answer for `number`; None: it cannot be given now. `zone`: the city's."""
    kind = kind_of(check.validity, genuine=check.genuine) if check else "unavailable"
    verdict = Verdict(
        kind=kind,
        title=text("social_aid.check.title", language),
        answer=text(f"social_aid.check.{kind}", language),
        advice=text(f"social_aid.check.{kind}.advice", language),
        facts=[(text(f"social_aid.certificate.{name}", language), value) for name, value in _facts(number, check)],
    )
    return papers.check_page(verdict, language, zone)


def _facts(number: str, check: CertificateCheck | None) -> list[tuple[str, str | date | datetime | None]]:
    if check is None:
        return [("number", number)]
    return [
        ("number", check.number),
        ("holder", check.holder or ""),
        ("decile", str(check.decile or "")),
        ("purpose", check.purpose or ""),
        ("issued_by", check.issued_by or ""),
        ("issued_on", check.issued_on),
        ("valid_until", check.valid_until),
        ("as_of", check.as_of),
    ]
