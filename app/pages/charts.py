"""Charts as SVG from the server: where each bar, line and label stands. templates/charts.html writes them down."""

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from app.pages.formats import number_in
from app.texts import Language

HEIGHT = 240
TONES = 6
_TOP, _BOTTOM, _RIGHT = 12, 34, 8
_CHARACTER = 7
_STEPS = (1, 2, 5, 10)
_TICKS = 5


class Series(msgspec.Struct, frozen=True):
    """One row of values, as long as the chart's labels; None where nothing is known."""

    label: str
    values: Sequence[float | None]


class Chart(msgspec.Struct, frozen=True):
    """What a chart shows. `bar`: bars side by side; `stacked`: on top of each other; `line`: joined, with gaps.
    `heading`: of the labels' column in the table. `digits`: after the point, in the table."""

    kind: Literal["bar", "line", "stacked"]
    title: str
    heading: str
    labels: Sequence[str]
    series: Sequence[Series]
    unit: str = ""
    digits: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be seen. A line along zero is."""
        values = [value for each in self.series for value in each.values]
        return all(value is None or (value == 0 and self.kind != "line") for value in values)


class Bar(msgspec.Struct, frozen=True):
    x: float
    y: float
    width: float
    height: float
    tone: int


class Line(msgspec.Struct, frozen=True):
    """`path`: as SVG has it, broken where nothing is known; `dots`: each value by itself, so that one between two gaps
    is seen."""

    path: str
    dots: Sequence[tuple[float, float]]
    tone: int


class Mark(msgspec.Struct, frozen=True):
    """A number beside the grid, or a label below it."""

    at: float
    words: str


class Drawing(msgspec.Struct, frozen=True):
    width: int
    height: int
    left: float
    bottom: float
    ticks: Sequence[Mark]
    labels: Sequence[Mark]
    bars: Sequence[Bar]
    lines: Sequence[Line]


class _Ground(msgspec.Struct, frozen=True):
    """The plane that values are drawn on."""

    left: float
    width: float
    top_value: float
    places: int

    @property
    def slot(self) -> float:
        return self.width / max(1, self.places)

    def x(self, place: int) -> float:
        """The middle of a place."""
        return round(self.left + self.slot * (place + 0.5), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / self.top_value, 1)


def drawn(chart: Chart, language: Language, width: int) -> Drawing:
    """The chart in `width` units, which are pixels where the page has room for them."""
    step = _step(_highest(chart), chart.digits)
    top = step * max(1, math.ceil(_highest(chart) / step))
    digits = max(0, -math.floor(math.log10(step)))
    values = [step * count for count in range(round(top / step) + 1)]
    said = [number_in(value, language, digits) for value in values]
    left = 10 + _CHARACTER * max(len(words) for words in said)
    ground = _Ground(left, width - left - _RIGHT, top, len(chart.labels))
    return Drawing(
        width,
        HEIGHT,
        left,
        HEIGHT - _BOTTOM,
        [Mark(ground.y(value), words) for value, words in zip(values, said, strict=True)],
        list(_labels(chart.labels, ground)),
        list(_bars(chart, ground)) if chart.kind != "line" else [],
        [_line(each, tone, ground) for tone, each in enumerate(chart.series)] if chart.kind == "line" else [],
    )


def _highest(chart: Chart) -> float:
    rows = [[value or 0 for value in each.values] for each in chart.series]
    if chart.kind == "stacked":
        return max((sum(column) for column in zip(*rows, strict=True)), default=0)
    return max((value for row in rows for value in row), default=0)


def _step(highest: float, digits: int) -> float:
    """A round one, that leads to the top in at most five, and is whole where the values are."""
    rough = highest / _TICKS
    if rough <= 0 or (rough < 1 and not digits):
        return 1
    size: float = 10.0 ** math.floor(math.log10(rough))
    return next(size * each for each in _STEPS if size * each >= rough)


def _labels(labels: Sequence[str], ground: _Ground) -> Iterator[Mark]:
    """As many as fit beside each other."""
    longest = max((len(label) for label in labels), default=1)
    every = max(1, math.ceil((longest + 1) * _CHARACTER / ground.slot))
    return (Mark(ground.x(place), label) for place, label in enumerate(labels) if place % every == 0)


def _bars(chart: Chart, ground: _Ground) -> Iterator[Bar]:
    beside = len(chart.series) if chart.kind == "bar" else 1
    breadth = min(ground.slot * 0.72, 56 * beside)
    for place in range(ground.places):
        begin, below = ground.x(place) - breadth / 2, 0.0
        for tone, each in enumerate(chart.series):
            value = each.values[place] or 0
            top, base = ground.y(below + value), ground.y(below)
            left = begin + (tone * breadth / beside if chart.kind == "bar" else 0)
            if value:
                yield Bar(round(left, 1), top, round(breadth / beside, 1), round(base - top, 1), tone % TONES)
            below += value if chart.kind == "stacked" else 0


def _line(series: Series, tone: int, ground: _Ground) -> Line:
    dots = [(ground.x(place), ground.y(value)) for place, value in enumerate(series.values) if value is not None]
    path, broken = "", True
    for place, value in enumerate(series.values):
        if value is not None:
            path += f"{'M' if broken else 'L'}{ground.x(place)} {ground.y(value)}"
        broken = value is None
    return Line(path, dots, tone % TONES)
