"""What answers amount to by regulation PANRB 14/2017: nine averages, one index, one grade; and how many are enough."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

import msgspec

from app.surveys.elements import COLUMNS, ELEMENTS

Grade = Literal["A", "B", "C", "D"]
# The least index of each grade, out of 100.
_GRADES: Sequence[tuple[Decimal, Grade]] = ((Decimal("88.31"), "A"), (Decimal("76.61"), "B"), (Decimal("65.00"), "C"))
_TO_100 = 25
# Krejcie and Morgan's formula: chi-square of 95 %, a share of one half, an error of 5 %.
_CHI_SQUARE, _SHARE, _ERROR = Fraction("3.841"), Fraction(1, 2), Fraction(5, 100)


class ElementResult(msgspec.Struct, frozen=True):
    """`average` (NRR) from 1 to 4, `weighted` by one ninth of it."""

    element: str
    code: str
    answers: int
    average: float | None
    weighted: float | None


class SurveyResult(msgspec.Struct, frozen=True):
    """`index` (IKM) from 25 to 100 with its `grade`; `index_of_4` is the same from 1 to 4. `served`: how many cases
    ended meanwhile; `needed`: so many answers speak for them all by Krejcie and Morgan, and are `enough`."""

    answers: int
    index: float | None
    index_of_4: float | None
    grade: Grade | None
    served: int
    needed: int
    enough: bool
    elements: list[ElementResult]


def result_of(counts: Mapping[str, Mapping[str, int]], served: int) -> SurveyResult:
    """`counts`: by element's column (`u1`), how often each answer was given."""
    totals = [_total(counts.get(column, {})) for column in COLUMNS]
    averages = [Fraction(total, answers) if answers else None for answers, total in totals]
    answers, needed, of_4 = totals[0][0], needed_of(served), _of_4(totals)
    index = rounded(of_4 * _TO_100, 2) if of_4 is not None else None
    return SurveyResult(
        answers=answers,
        index=float(index) if index is not None else None,
        index_of_4=float(rounded(of_4, 4)) if of_4 is not None else None,
        grade=grade_of(index) if index is not None else None,
        served=served,
        needed=needed,
        enough=answers > 0 and answers >= needed,
        elements=[
            ElementResult(
                element,
                column.upper(),
                count,
                float(rounded(average, 3)) if average is not None else None,
                float(rounded(average / len(COLUMNS), 3)) if average is not None else None,
            )
            for element, column, (count, _), average in zip(ELEMENTS, COLUMNS, totals, averages, strict=True)
        ],
    )


def index_of(counts: Mapping[str, Mapping[str, int]]) -> tuple[int, Decimal | None]:
    """How many answered, and the index alone: a page shows many of them."""
    totals = [_total(counts.get(column, {})) for column in COLUMNS]
    of_4 = _of_4(totals)
    return totals[0][0], rounded(of_4 * _TO_100, 2) if of_4 is not None else None


def grade_of(index: Decimal) -> Grade:
    """Of an index out of 100, rounded to hundredths as the regulation's bands are."""
    return next((grade for least, grade in _GRADES if index >= least), "D")


def needed_of(served: int) -> int:
    """How many answers speak for so many who were served."""
    if served <= 0:
        return 0
    spread = _CHI_SQUARE * _SHARE * (1 - _SHARE)
    exact = spread * served / (_ERROR**2 * (served - 1) + spread)
    return int(rounded(exact, 0))


def rounded(exact: Fraction, digits: int) -> Decimal:
    """Half up, as people round."""
    shown = Decimal(exact.numerator) / Decimal(exact.denominator)
    return shown.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _of_4(totals: Sequence[tuple[int, int]]) -> Fraction | None:
    """The average of the elements' averages; None while an element has none."""
    if not all(answers for answers, _ in totals):
        return None
    answers = totals[0][0]
    if all(count == answers for count, _ in totals):
        return Fraction(sum(total for _, total in totals), answers * len(totals))
    return sum((Fraction(total, count) for count, total in totals), Fraction(0)) / len(totals)


def _total(counts: Mapping[str, int]) -> tuple[int, int]:
    return sum(counts.values()), sum(int(answer) * count for answer, count in counts.items())
