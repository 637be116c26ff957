"""How far the called number is behind mine, from what facilities print on their boards."""

import pytest

from services.health.actions import _ahead


@pytest.mark.parametrize(
    ("mine", "called", "ahead"),
    [
        ("A12", "A8", 4),
        ("A12", "A12", 0),
        ("A12", "A15", -3),
        ("A-012", "A-008", 4),
        ("A1-21", "A1-4", 17),
        ("12", "8", 4),
        # Nobody has been called yet.
        ("A12", "", 12),
        # Another series, no number, or nothing told: not compared.
        ("A12", "B8", None),
        ("A12", "8", None),
        ("A12", "TUTUP", None),
        ("A12", None, None),
        (None, "A8", None),
        (None, "", None),
    ],
)
def test_it_is_compared_within_one_series_only(mine: str | None, called: str | None, ahead: int | None) -> None:
    assert _ahead(mine, called) == ahead
