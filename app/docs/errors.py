"""The page that `type` of every problem points to: each stable code with its status and words, in both languages."""

from functools import lru_cache
from html import escape
from pathlib import Path
from string import Template

from app.texts import LANGUAGES, Language, error_statuses, has_text, text, text_keys

_PAGE = Template(Path(__file__).with_name("errors.html").read_text("utf-8"))


@lru_cache(maxsize=1)
def errors_page() -> bytes:
    """The whole page; texts do not change while a process runs."""
    codes = "".join(_code(code, status) for code, status in error_statuses().items())
    fields = "".join(_field(key.removeprefix("field.")) for key in text_keys("field."))
    return _PAGE.substitute(codes=codes, fields=fields).encode()


def _code(code: str, status: int) -> str:
    words = "".join(
        f'<dt>{language}</dt><dd lang="{language}"><strong>{escape(_title(code, status, language))}</strong> '
        f"{escape(text(f'error.{code}', language))}</dd>"
        for language in LANGUAGES
    )
    head = f'<h3><a href="#{code}">{code}</a> <small>{status}</small></h3>'
    return f'<section id="{code}">{head}<dl>{words}</dl></section>\n'


def _field(code: str) -> str:
    words = "".join(f'<td lang="{language}">{escape(text(f"field.{code}", language))}</td>' for language in LANGUAGES)
    return f'<tr id="field-{code}"><th scope="row">{code}</th>{words}</tr>\n'


def _title(code: str, status: int, language: Language) -> str:
    own = f"error.{code}.title"
    return text(own if has_text(own) else f"status.{status}", language)
