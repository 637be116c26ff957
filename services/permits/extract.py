"""A licence's extract as PDF: what the agency's system says of it, and a QR code that leads to the public check."""

from app.papers import extract as paper
from app.papers.extract import Extract, shown_day, shown_moment
from app.texts import Language, text
from services.permits.cases import WIB
from services.permits.schemas import LicenceView


def draw(licence: LicenceView, language: Language) -> bytes:
    """One page. Call it off the event loop."""
    facts = (
        ("number", licence.number),
        ("permit", licence.permit),
        ("holder", licence.holder),
        ("issued_on", shown_day(licence.issued_on)),
        ("valid_until", shown_day(licence.valid_until)),
        ("validity", text(f"permits.validity.{licence.validity}", language)),
        ("case_number", licence.case_number),
        ("as_of", shown_moment(licence.as_of, WIB)),
    )
    extract = Extract(
        title=text("permits.extract.title", language),
        subtitle=licence.title,
        notice=text("permits.extract.notice", language),
        facts=[(text(f"permits.licence.{name}", language), value) for name, value in facts],
        remark=text("permits.extract.stale", language) if licence.state == "stale" else "",
        check=text("permits.extract.check", language),
        check_url=licence.check_url,
        as_of=licence.as_of,
    )
    return paper.draw(extract, language)
