"""How long a licence holds, and how long the public's answers are shared."""

from datetime import UTC, datetime, timedelta

import pytest

from app.agency_reads import Reads
from app.valkey import Valkey
from services.permits.actions import check, recent_check, validity
from services.permits.cases import WIB
from services.permits.port import Licence
from tests.harness.calling import NOWHERE
from tests.harness.keys import new_vault
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


async def test_an_answer_is_shared_for_a_minute() -> None:
    vault = new_vault()
    port, reads = Counting(), Reads(Valkey(NOWHERE), vault)
    assert recent_check("A/1", reads) is None
    told = [await check("A/1", port, reads) for _ in range(5)]
    assert {each.holder for each in told} == {"S*** A*****"}
    assert recent_check("A/1", reads) == told[0]
    assert recent_check("A/2", reads) is None
    assert len(port.asked) == 1
