"""The table tells what was met, what was missed, and what is worth nothing."""

from bench.measure import Median
from bench.report import Figure, table


def median(cpu_ms: float, refused: int = 0) -> Median:
    return Median(cpu_ms=cpu_ms, per_s=1000, p50_ms=1, p99_ms=2, refused=refused)


def line_of(text: str, beginning: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(beginning))


def test_ratios_are_held_against_the_goals() -> None:
    found = {("me", "floor"): median(0.02), ("me", "fastapi"): median(0.4), ("me", "product"): median(0.12)}
    line = line_of(table(found, []), "B  GET /v1/me")
    assert "0.30 <= 0.33 met" in line
    assert "6.00 <= 5.00 MISSED" in line


def test_what_has_no_yardstick_of_its_own_is_held_against_anothers() -> None:
    found = {("agency", "fastapi"): median(2.0), ("warm", "product"): median(0.1)}
    assert "0.05 <= 0.10 met" in line_of(table(found, []), "D  the same, cache warm")


def test_a_missing_yardstick_leaves_its_column_empty() -> None:
    assert "MISSED" not in line_of(table({("me", "product"): median(9)}, []), "B  GET /v1/me")


def test_refusals_are_told() -> None:
    assert "me at product: 7" in table({("me", "product"): median(0.1, refused=7)}, [])
    assert "worthless" not in table({("me", "product"): median(0.1)}, [])


def test_figures_that_stand_alone() -> None:
    text = table({}, [Figure("memory", 190, "MB", 180), Figure("rate", 400, "/s", 300, at_least=True)])
    assert "at most 180 MB: MISSED" in line_of(text, "  memory")
    assert "at least 300 /s: met" in line_of(text, "  rate")
