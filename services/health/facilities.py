"""Rules of a facility that need no asking: when it is open, whom its clinics have, how far ahead it may be booked."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.catalog.facilities import Clinic, Facility
from app.errors import FieldError
from app.workdays import is_holiday
from services.health.port import Session


def now_at(facility: Facility) -> datetime:
    return datetime.now(ZoneInfo(facility.time_zone))


def today_at(facility: Facility) -> date:
    return now_at(facility).date()


def is_open(facility: Facility, day: date) -> bool:
    """Whether it takes people on a day at all."""
    if day.isoweekday() not in facility.weekdays or day in facility.closed_on:
        return False
    # Of a year whose decree on holidays is not out the facility's own system will say.
    return facility.holidays or not is_holiday(day)


def last_day(facility: Facility) -> date:
    """The last day that may be booked now."""
    return today_at(facility) + timedelta(days=facility.booking_days)


def sessions_on(clinic: Clinic, day: date) -> list[Session]:
    """Whose queues to ask for: each doctor's where the profile has them, else the clinic's whole day."""
    if not clinic.practice:
        return [Session(clinic.code, day)]
    return [
        Session(clinic.code, day, practice.doctor, practice.hours)
        for practice in clinic.practice
        if day.isoweekday() in practice.weekdays
    ]


def is_over(facility: Facility, session: Session) -> bool:
    """Whether a session's hours have passed; False where they are not known."""
    end = end_of(facility, session)
    return end is not None and now_at(facility) > end


def end_of(facility: Facility, session: Session) -> datetime | None:
    """When a session ends, by the facility's own clock."""
    _, _, end = session.hours.partition("-")
    try:
        return datetime.combine(session.day, time.fromisoformat(end.strip()), ZoneInfo(facility.time_zone))
    except ValueError:
        return None


def day_faults(facility: Facility, day: date, pointer: str) -> Iterator[FieldError]:
    """Why a ticket cannot be had for a day, by what the city's profile says of the facility."""
    if day < today_at(facility):
        yield FieldError(pointer, "visit_in_past")
    elif day > last_day(facility):
        yield FieldError(pointer, "visit_too_far", {"days": facility.booking_days})
    elif not is_open(facility, day):
        yield FieldError(pointer, "facility_closed", {"facility": facility.name})
