"""What a period's figures are compared with, and when."""

import msgspec

from app.dashboards.figures.compared import tiles
from app.dashboards.figures.schemas import ServiceFigures
from app.dashboards.figures.sums import Sums, Totals
from app.texts import load_texts, text_roots

load_texts(*text_roots())


def totals(handed_in: int, timely: int, late: int) -> Totals:
    sums = Sums()
    for measure, value, count in (
        ("handed_in", "", handed_in),
        ("ended", "completed", timely + late),
        ("on_time", "yes", timely),
        ("on_time", "no", late),
    ):
        sums.add(measure, value, count)
    return sums.totals()


FIGURES = ServiceFigures("", "", "", now=totals(20, 9, 1), before=totals(40, 6, 4), year_before=totals(10, 5, 5))


def compared(*, is_over: bool) -> dict[str, list[str]]:
    return {tile.what: list(tile.compared) for tile in tiles(FIGURES, "month", "en", is_over=is_over)}


def test_a_period_that_is_over_is_compared_in_full() -> None:
    shown = compared(is_over=True)
    assert shown["Handed in"] == ["\u221250.0% vs. month before", "+100.0% vs. year before"]
    assert shown["Ended"] == ["±0 vs. month before", "±0 vs. year before"]
    assert shown["On time"] == ["+30.0 points vs. month before", "+40.0 points vs. year before"]


def test_counts_of_a_running_period_are_not_held_against_whole_ones() -> None:
    shown, over = compared(is_over=False), compared(is_over=True)
    assert (shown["Handed in"], shown["Ended"]) == ([], [])
    shares = {what: words for what, words in over.items() if what not in ("Handed in", "Ended")}
    assert {what: shown[what] for what in shares} == shares


def test_where_nothing_is_known_before_nothing_is_compared() -> None:
    nothing = Sums().totals()
    alone = msgspec.structs.replace(FIGURES, before=nothing, year_before=nothing)
    shown = {tile.what: list(tile.compared) for tile in tiles(alone, "week", "en", is_over=True)}
    assert shown["On time"] == []
    assert shown["Handed in"] == ["+20 vs. week before", "+20 vs. year before"]
