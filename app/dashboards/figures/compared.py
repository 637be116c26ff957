"""A period's figures as a page says them: in words, beside the period before and the same a year before."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from app.dashboards.figures.periods import Grain
from app.dashboards.figures.schemas import ServiceFigures
from app.dashboards.figures.sums import Totals
from app.pages.formats import number_in
from app.texts import Language, text

NOTHING, MINUS = "\u2013", "\u2212"
Kind = Literal["", "good", "warn", "bad"]
Value = float | None


class Tile(msgspec.Struct, frozen=True):
    """One figure: its value in words, what it is, and how it compares."""

    value: str
    what: str
    kind: Kind
    compared: Sequence[str]


class _Measure(msgspec.Struct, frozen=True):
    """How a figure is taken from totals and said. `percent`: changes are told in parts of a hundred of the value."""

    key: str
    take: Callable[[Totals], Value]
    digits: int = 0
    unit: str = ""
    percent: bool = False
    judge: Callable[[float], Kind] = lambda _: ""


def tiles(of: ServiceFigures, grain: Grain, language: Language, *, is_over: bool) -> list[Tile]:
    """All figures of a period. What is only counted is compared once the period is over: half a month always has less
    than a whole one."""
    found = []
    for measure in _MEASURES:
        value = measure.take(of.now)
        than = [("before", measure.take(of.before)), ("year_before", measure.take(of.year_before))]
        compared = [
            text(f"figures.than.{name}.{grain}", language, {"change": _change(value, other, measure, language)})
            for name, other in than
            if value is not None and other is not None and (is_over or not measure.percent)
        ]
        kind = measure.judge(value) if value is not None else ""
        found.append(Tile(_said(value, measure, language), text(f"figures.{measure.key}", language), kind, compared))
    return found


def share(part: float | None) -> Value:
    """In hundredths."""
    return None if part is None else part * 100


def refused_share(totals: Totals) -> Value:
    """What part of the decisions was a refusal."""
    return 100 * totals.outcomes.get("rejected", 0) / totals.decided if totals.decided else None


def timely(percent: float) -> Kind:
    """How well promises were kept."""
    return "good" if percent >= 90 else "warn" if percent >= 75 else "bad"


_MEASURES: Sequence[_Measure] = (
    _Measure("handed_in", lambda totals: totals.handed_in, percent=True),
    _Measure("ended", lambda totals: totals.ended, percent=True),
    _Measure("on_time", lambda totals: share(totals.on_time_share), 1, "%", judge=timely),
    _Measure("median_days", lambda totals: totals.median_days, 1),
    _Measure("p90_days", lambda totals: totals.p90_days),
    _Measure("refused", refused_share, 1, "%"),
    _Measure("rating", lambda totals: totals.rating, 2),
    _Measure("survey", lambda totals: totals.survey_index, 2),
)


def _said(value: Value, measure: _Measure, language: Language) -> str:
    if value is None:
        return NOTHING
    digits = 0 if measure.digits == 1 and not measure.unit and value == int(value) else measure.digits
    return number_in(value, language, digits) + measure.unit


def _change(value: Value, other: Value, measure: _Measure, language: Language) -> str:
    if value is None or other is None:
        return NOTHING
    change = value - other
    digits, unit = measure.digits, "" if not measure.unit else f" {text('figures.points', language)}"
    if measure.percent:
        if not other:
            return f"+{number_in(change, language)}" if change else "±0"
        change, digits, unit = 100 * change / other, 1, "%"
    if round(change, digits) == 0:
        return "±0"
    sign = "+" if change > 0 else MINUS
    return f"{sign}{number_in(abs(change), language, digits)}{unit}"
