"""The pretended puskesmas behind the sandbox: doctors' hours, patients, tickets, and the queue. No HTTP here."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

State = Literal["waiting", "called", "served", "cancelled"]
STEPS: Mapping[str, State] = {"call": "called", "serve": "served", "cancel": "cancelled"}


class Practice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One doctor's hours at a clinic, and how many tickets they give a day."""

    doctor: int
    name: str
    hours: str
    quota: int
    weekdays: Sequence[int] = (1, 2, 3, 4, 5, 6)

    @property
    def ends(self) -> time:
        return time.fromisoformat(self.hours.rpartition("-")[2])


class Clinic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A clinic. `letter` begins its tickets' numbers, `minutes` is how long one patient takes."""

    code: str
    name: str
    letter: str
    minutes: int
    practices: list[Practice]


class Facility(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One puskesmas. `status_version`: whether its status tells doctors apart (array) or not (object)."""

    id: str
    zone: str
    status_version: Literal["array", "object"]
    closed_on: list[str]
    window_days: int
    clinics: list[Clinic]

    def clinic(self, code: str) -> Clinic | None:
        return next((clinic for clinic in self.clinics if clinic.code == code), None)

    def practices_on(self, clinic: Clinic, day: date) -> list[Practice]:
        if day.isoformat() in self.closed_on:
            return []
        return [practice for practice in clinic.practices if day.isoweekday() in practice.weekdays]


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is entered once: sandbox.toml."""

    strangers: list[str]
    facilities: list[Facility]


class Ticket(msgspec.Struct, kw_only=True):
    """One ticket. `doctor` is 0 where the facility tells none apart."""

    facility: str
    clinic: str
    day: str
    doctor: int
    number: str
    position: int
    card: str
    nik: str
    state: State = "waiting"

    @property
    def reference(self) -> str:
        return f"{self.facility}/{self.day}/{self.clinic}/{self.number}"

    @property
    def queue(self) -> tuple[str, str, str, int]:
        return (self.facility, self.clinic, self.day, self.doctor)


class Office:
    """Every ticket and patient of every facility."""

    def __init__(self) -> None:
        raw = tomllib.loads(Path(__file__).with_name("sandbox.toml").read_text("utf-8"))
        tables = msgspec.convert(raw, Tables)
        self.strangers = set(tables.strangers)
        self.facilities = {facility.id: facility for facility in tables.facilities}
        self.tickets: list[Ticket] = []
        self._senders: dict[str, list[int]] = {}
        self._queues: dict[tuple[str, str, str, int], list[Ticket]] = {}
        self.patients: dict[tuple[str, str], Mapping[str, object]] = {}

    def clear(self) -> None:
        for kept in (self.tickets, self._senders, self._queues, self.patients):
            kept.clear()

    def now(self, facility: Facility, zone: str) -> datetime:
        return datetime.now(ZoneInfo(zone or facility.zone))

    def enter(self, ticket: Ticket, sender: str) -> None:
        self._senders.setdefault(sender, []).append(len(self.tickets))
        self.tickets.append(ticket)
        self._queues.setdefault(ticket.queue, []).append(ticket)

    def queue(self, facility: str, clinic: str, day: str, doctor: int) -> list[Ticket]:
        """Tickets of one queue in order, those given back too."""
        return self._queues.get((facility, clinic, day, doctor), [])

    def clinic_queues(self, facility: str, clinic: str, day: str) -> list[Ticket]:
        """Tickets of all a clinic's queues of a day."""
        wanted = (facility, clinic, day)
        return [ticket for key, tickets in self._queues.items() if key[:3] == wanted for ticket in tickets]

    def of_person(self, facility: str, clinic: str, day: str, person: Mapping[str, str]) -> Ticket | None:
        """The newest ticket of a card or NIK that was not given back."""
        mine = [
            ticket
            for ticket in self.clinic_queues(facility, clinic, day)
            if ticket.state != "cancelled"
            and any(value and getattr(ticket, field) == value for field, value in person.items())
        ]
        return mine[-1] if mine else None

    def matters(self, reference: str | None) -> list[int]:
        """All tickets, by their places; or those of a ticket's reference, with or without the facility, or a sender's.

        Raises KeyError for an unknown one.
        """
        if reference is None:
            return list(range(len(self.tickets)))
        found = [
            index
            for index, ticket in enumerate(self.tickets)
            if reference in (ticket.reference, ticket.reference.partition("/")[2])
        ]
        found = found or self._senders.get(reference, [])
        if not found:
            raise KeyError(reference)
        return list(found)

    def calls(self, index: int, step: str | None) -> dict[int, State]:
        """What moves when one ticket does: to be called, all before it are served first."""
        ticket = self.tickets[index]
        wanted = STEPS[step] if step else {"waiting": "called", "called": "served"}.get(ticket.state, "")
        if not wanted or ticket.state in ("served", "cancelled") or ticket.state == wanted:
            return {}
        moved: dict[int, State] = {}
        if wanted != "cancelled":
            moved = {
                other: "served"
                for other, before in enumerate(self.tickets[:index])
                if before.queue == ticket.queue and before.state in ("waiting", "called")
            }
        return moved | {index: STEPS[step] if step else "called" if wanted == "called" else "served"}

    def rounds(self) -> dict[int, State]:
        """What one round moves in every queue: who is called is served, and the next is called."""
        moved: dict[int, State] = {}
        called: set[tuple[str, str, str, int]] = set()
        for index, ticket in enumerate(self.tickets):
            if ticket.state == "called":
                moved[index] = "served"
            elif ticket.state == "waiting" and ticket.queue not in called:
                moved[index] = "called"
                called.add(ticket.queue)
        return moved


def waiting(tickets: Sequence[Ticket]) -> int:
    return sum(ticket.state == "waiting" for ticket in tickets)


def called_last(tickets: Sequence[Ticket]) -> str:
    """The number called last, "-" before the first."""
    gone = [ticket for ticket in tickets if ticket.state in ("called", "served")]
    return max(gone, key=lambda ticket: ticket.position).number if gone else "-"


def left_before(tickets: Sequence[Ticket], ticket: Ticket) -> int:
    """How many are not called yet up to a ticket, itself among them."""
    return sum(other.state == "waiting" and other.position <= ticket.position for other in tickets)
