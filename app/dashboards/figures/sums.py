"""Cells summed up: counts, shares, and medians and percentiles that are exact, as working days are whole."""

from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import msgspec

from app.dashboards.figures.facts import DECIDED
from app.surveys.results import SurveyResult, grade_of, index_of, result_of, rounded


class Totals(msgspec.Struct, frozen=True):
    """Of some services over some time. `outcomes`: how cases ended; `decided` of them by the agency. `days` are working
    days from handing in to the decision. `promised`: decided cases with a time limit; `on_time` of them within it;
    shares from 0 to 1. `refusals`: by reason. `ratings` from 1 to 5. Null where there is nothing to tell of."""

    handed_in: int
    ended: int
    outcomes: dict[str, int]
    decided: int
    promised: int
    on_time: int
    on_time_share: float | None
    median_days: float | None
    p90_days: int | None
    refusals: dict[str, int]
    ratings: int
    rating: float | None
    survey_answers: int
    survey_index: float | None
    survey_grade: str | None


class Sums:
    """What cells add up to, by measure and value."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, measure: str, value: str, count: int) -> None:
        self.counts.setdefault(measure, Counter())[value] += count

    def of(self, measure: str) -> Mapping[str, int]:
        return self.counts.get(measure, Counter())

    def survey(self) -> SurveyResult:
        return result_of(self.counts, sum(self.of("ended").values()))

    def totals(self) -> Totals:
        outcomes, timely, scores = self.of("ended"), self.of("on_time"), self.of("score")
        days = {int(value): count for value, count in self.of("days").items()}
        promised, ratings = sum(timely.values()), sum(scores.values())
        answers, index = index_of(self.counts)
        total = sum(int(score) * count for score, count in scores.items())
        return Totals(
            handed_in=sum(self.of("handed_in").values()),
            ended=sum(outcomes.values()),
            outcomes=_by_count(outcomes),
            decided=sum(outcomes.get(outcome, 0) for outcome in DECIDED),
            promised=promised,
            on_time=timely.get("yes", 0),
            on_time_share=_share(timely.get("yes", 0), promised, 4),
            median_days=median(days),
            p90_days=percentile(days, 90),
            refusals=_by_count(self.of("reason")),
            ratings=ratings,
            rating=_share(total, ratings, 2),
            survey_answers=answers,
            survey_index=float(index) if index is not None else None,
            survey_grade=grade_of(index) if index is not None else None,
        )


def summed(rows: Iterable[Mapping[str, Any]], *by: str) -> dict[tuple[Any, ...], Sums]:
    """Sums of rows with `measure`, `value` and `count`, by some of their other columns."""
    found: dict[tuple[Any, ...], Sums] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in by), Sums()).add(row["measure"], row["value"], row["count"])
    return found


def percentile(histogram: Mapping[int, int], percent: int) -> int | None:
    """By nearest rank: the least value that so many of a hundred do not exceed."""
    total = sum(histogram.values())
    rank = -(-total * percent // 100)
    return _at(histogram, rank) if total else None


def median(histogram: Mapping[int, int]) -> float | None:
    """The middle value, or half way between the two."""
    total = sum(histogram.values())
    if not total:
        return None
    return (_at(histogram, (total + 1) // 2) + _at(histogram, total // 2 + 1)) / 2


def _at(histogram: Mapping[int, int], rank: int) -> int:
    """The value at a rank, counted from 1."""
    passed = 0
    for value in sorted(histogram):
        passed += histogram[value]
        if passed >= rank:
            return value
    raise ValueError(rank)


def _share(part: int, whole: int, digits: int) -> float | None:
    return float(rounded(Fraction(part, whole), digits)) if whole else None


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(((key, count) for key, count in counts.items() if count), key=lambda each: (-each[1], each[0])))
