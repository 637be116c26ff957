"""CI excuses a few unsteady tests, never one that saw something lost, and nobody else does."""

import pytest

from tests.second_try import MOST, is_due

CI = {"LOKET_SECOND_TRY": "1"}
ONE = ["tests/app/test_limits.py::test_one"]


@pytest.mark.parametrize(
    ("failed", "environment", "due"),
    [
        (ONE, CI, True),
        (ONE, {}, False),
        ([], CI, False),
        ([*ONE, "tests/chaos/test_storm.py::test_it"], CI, False),
        (ONE * (MOST + 1), CI, False),
    ],
)
def test_due_in_ci_for_a_few_and_never_for_chaos(failed: list[str], environment: dict[str, str], due: bool) -> None:
    assert is_due(failed, environment) == due
