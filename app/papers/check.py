"""The page a phone shows after it scanned a paper's QR code: plain HTML and one stylesheet, no script."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import msgspec

from app.texts import Language

STYLE = Path(__file__).with_name("check.css").read_text("utf-8")

_PAGE = Template(Path(__file__).with_name("check.html").read_text("utf-8"))


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the page says. `kind` is its colour: `valid`, `genuine`, `expired`, `not-genuine` or `unavailable`; `facts`
    are labels with their values, those without a value are left out."""

    kind: str
    title: str
    answer: str
    advice: str
    facts: Sequence[tuple[str, str]]


def check_page(verdict: Verdict, language: Language) -> str:
    """The whole page."""
    filled = {
        "language": language,
        "verdict": verdict.kind,
        "title": verdict.title,
        "answer": verdict.answer,
        "advice": verdict.advice,
    }
    facts = ((escape(label), escape(value)) for label, value in verdict.facts if value)
    rows = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in facts)
    return _PAGE.substitute({name: escape(value) for name, value in filled.items()}, rows=rows)
