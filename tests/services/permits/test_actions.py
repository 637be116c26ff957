"""How long a licence holds, and how long the public's answers are shared."""

from datetime import UTC, datetime, timedelta

import pytest

from services.permits.actions import PublicChecks, validity
from services.permits.cases import WIB
from services.permits.port import Licence
from tests.services.permits.test_cases import Listening

TODAY = datetime.now(WIB).date()


class Counting(Listening):
    """An agency that knows every number, and counts how often it is asked."""

    async def licence(self, number: str) -> Licence | None:
        self.asked.append(("licence", number))
        return Licence(number, "Izin Reklame", "Siti Aminah", None, TODAY, datetime.now(UTC))


@pytest.mark.parametrize(("days", "expected"), [(0, "valid"), (1, "valid"), (-1, "expired"), (None, "unknown")])
def test_a_licence_holds_to_the_end_of_its_last_day(days: int | None, expected: str) -> None:
    until = None if days is None else TODAY + timedelta(days=days)
    assert validity(Licence("503/1", "Izin", "Siti", None, until, datetime.now(UTC))) == expected


async def test_an_answer_is_shared_and_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.permits.actions._MOST_CHECKS", 3)
    port, checks = Counting(), PublicChecks()
    for number in ("A/1", "A/2", "A/3", "A/4"):
        assert (await checks.ask(number, port)).holder == "S*** A*****"
    assert checks.recent("A/1") is None
    assert [checks.recent(number) is not None for number in ("A/2", "A/3", "A/4")] == [True] * 3
    assert len(port.asked) == 4


async def test_an_answer_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    port, checks = Counting(), PublicChecks()
    await checks.ask("A/1", port)
    assert checks.recent("A/1") is not None
    monkeypatch.setattr("services.permits.actions._CHECK_KEPT_S", -1.0)
    await checks.ask("A/1", port)
    assert checks.recent("A/1") is None
