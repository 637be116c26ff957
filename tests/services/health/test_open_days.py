"""On which days a facility takes people: its own weekdays, holidays and joint leave, its own closed days."""

from datetime import date

import msgspec
import pytest

from services.health.facilities import is_open
from tests.harness.tickets import HOSPITAL, PUSKESMAS, facility

SATURDAY, SUNDAY = date(2026, 11, 21), date(2026, 11, 22)
JOINT_LEAVE, CHRISTMAS = date(2026, 12, 24), date(2026, 12, 25)


@pytest.mark.parametrize(
    ("day", "opens"),
    [(date(2026, 11, 23), True), (SATURDAY, True), (SUNDAY, False), (JOINT_LEAVE, False), (CHRISTMAS, False)],
)
def test_a_puskesmas_works_six_days_and_rests_on_holidays(day: date, opens: bool) -> None:
    place = msgspec.structs.replace(facility(PUSKESMAS), weekdays=(1, 2, 3, 4, 5, 6), closed_on=())
    assert is_open(place, day) is opens


def test_who_works_on_holidays_rests_on_its_own_days_alone() -> None:
    place = msgspec.structs.replace(facility(HOSPITAL), weekdays=(1, 2, 3, 4, 5, 6, 7), holidays=True, closed_on=())
    assert all(is_open(place, day) for day in (SATURDAY, SUNDAY, JOINT_LEAVE, CHRISTMAS))
    assert not is_open(msgspec.structs.replace(place, closed_on=(CHRISTMAS,)), CHRISTMAS)


def test_a_year_without_a_decree_is_left_to_the_facility() -> None:
    assert is_open(facility(PUSKESMAS), date(2040, 8, 17))
