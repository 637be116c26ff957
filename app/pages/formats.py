"""Numbers, days and times as a page's language and the city's zone have them: Jinja filters."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from app.texts import Language, text

_UNKNOWN = escape("\u2013")
_STEP = 1024


def number_in(value: float, language: Language, digits: int = 0) -> str:
    """`1.234,5` in Indonesian, `1,234.5` in English."""
    english = f"{value:,.{digits}f}"
    return english if language == "en" else english.translate(str.maketrans(",.", ".,"))


def day_in(day: date, language: Language) -> str:
    """`22 Nov 2026`."""
    return f"{day.day} {text(f'pages.month.{day.month}', language)} {day.year}"


@pass_context
def number(context: Context, value: float | None, digits: int = 0) -> str:
    return str(_UNKNOWN) if value is None else number_in(value, context["language"], digits)


@pass_context
def percent(context: Context, share: float | None, digits: int = 1) -> str:
    """A share of one as `86,1%`."""
    return str(_UNKNOWN) if share is None else f"{number_in(share * 100, context['language'], digits)}%"


@pass_context
def size(context: Context, bytes_: int) -> str:
    """Of a file, in the largest unit that gives at least one."""
    shown, units = float(bytes_), ["B", "KB", "MB", "GB"]
    while shown >= _STEP and len(units) > 1:
        shown /= _STEP
        del units[0]
    return f"{number_in(shown, context['language'], 0 if units[0] == 'B' else 1)} {units[0]}"


@pass_context
def day(context: Context, value: date | None) -> Markup:
    if value is None:
        return _UNKNOWN
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), day_in(value, context["language"]))


@pass_context
def local_day(context: Context, at: datetime | None) -> Markup:
    """The day of a moment in the city's zone."""
    return day(context, at.astimezone(context["zone"]).date() if at else None)


@pass_context
def moment(context: Context, at: datetime | None) -> Markup:
    """`22 Nov 2026, 07.15 WIB`, with the exact time for machines."""
    if at is None:
        return _UNKNOWN
    local = at.astimezone(context["zone"])
    # Between the two a narrow cell may break the line.
    return Markup('<time datetime="{}"><span>{}</span>, <span>{}</span></time>').format(
        local.isoformat(timespec="seconds"),
        day_in(local.date(), context["language"]),
        _clock(local, context["language"]),
    )


def moment_in(at: datetime, zone: ZoneInfo, language: Language) -> str:
    """The same as plain words, for a page's script."""
    local = at.astimezone(zone)
    return f"{day_in(local.date(), language)}, {_clock(local, language)}"


def _clock(local: datetime, language: Language) -> str:
    return f"{local.strftime('%H:%M' if language == 'en' else '%H.%M')} {local.tzname()}"


def dotted(name: str) -> Markup:
    """`operator.dpmptsp`: behind a dot a narrow cell may break it."""
    return Markup(".<wbr>").join(name.split("."))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "dotted": dotted,
    "number": number,
    "percent": percent,
    "size": size,
    "day": day,
    "local_day": local_day,
    "moment": moment,
}
