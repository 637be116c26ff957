"""A certificate of decile as PDF: what the agency's system says of it, and a QR code that leads to the check."""

from app.papers import extract as paper
from app.papers.extract import Extract, shown_day, shown_moment
from app.texts import Language, text
from services.social_aid.cases import WIB
from services.social_aid.schemas import CertificateView


def draw(certificate: CertificateView, language: Language) -> bytes:
    """One page. Call it off the event loop."""
    facts = (
        ("number", certificate.number),
        ("holder", certificate.holder),
        ("decile", str(certificate.decile)),
        ("decile_text", certificate.decile_text),
        ("purpose", certificate.purpose or "-"),
        ("issued_by", certificate.issued_by),
        ("issued_on", shown_day(certificate.issued_on)),
        ("valid_until", shown_day(certificate.valid_until)),
        ("validity", text(f"social_aid.validity.{certificate.validity}", language)),
        ("case_number", certificate.case_number),
        ("as_of", shown_moment(certificate.as_of, WIB)),
    )
    extract = Extract(
        title=text("social_aid.extract.title", language),
        subtitle=certificate.title,
        notice=text("social_aid.extract.notice", language),
        facts=[(text(f"social_aid.certificate.{name}", language), value) for name, value in facts],
        remark=text("social_aid.extract.stale", language) if certificate.state == "stale" else "",
        check=text("social_aid.extract.check", language),
        check_url=certificate.check_url,
        as_of=certificate.as_of,
    )
    return paper.draw(extract, language)
