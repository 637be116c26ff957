"""The pretended facilities behind a sandbox: doctors' hours, patients, tickets, and the queue. No HTTP here."""

import re
from abc import ABC
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Generic, Literal, TypeVar

import msgspec

State = Literal["waiting", "called", "served", "cancelled"]
Body = Mapping[str, str]
STEPS: Mapping[str, State] = {"call": "called", "serve": "served", "cancel": "cancelled"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Refused(Exception):
    """The answer is a code and words."""

    def __init__(self, message: str, code: int = 201) -> None:
        super().__init__(message)
        self.code = code


class Practice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One doctor's hours at a clinic, and how many tickets they give a day: to others than the insured at hospitals."""

    doctor: int
    name: str
    hours: str
    quota: int
    quota_others: int = 0
    weekdays: Sequence[int] = (1, 2, 3, 4, 5, 6)

    @property
    def begins(self) -> time:
        return time.fromisoformat(self.hours.partition("-")[0])

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


class Facility(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A puskesmas or hospital."""

    id: str
    zone: str
    closed_on: list[str]
    window_days: int
    clinics: list[Clinic]

    def clinic(self, code: str) -> Clinic:
        """Raises Refused for one it does not have."""
        found = next((clinic for clinic in self.clinics if clinic.code == code), None)
        if found is None:
            raise Refused("Poli Tidak Ditemukan")
        return found


class Ticket(msgspec.Struct, kw_only=True):
    """One ticket. `doctor` is 0 where the facility tells none apart, `card` "" for who is not insured."""

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
        """What it is known by outside. Numbers begin anew for each facility, day and clinic."""
        return f"{self.facility}/{self.day}/{self.clinic}/{self.number}"

    @property
    def queue(self) -> tuple[str, str, str, int]:
        return (self.facility, self.clinic, self.day, self.doctor)


F = TypeVar("F", bound=Facility)
T = TypeVar("T", bound=Ticket)


class Office(ABC, Generic[F, T]):
    """Every ticket and patient of every facility. `patients`: record numbers of the registered, by facility and NIK."""

    def __init__(self, facilities: Sequence[F], strangers: Sequence[str]) -> None:
        self.facilities = {facility.id: facility for facility in facilities}
        self.strangers = set(strangers)
        self.tickets: list[T] = []
        self.patients: dict[tuple[str, str], str] = {}
        self._senders: dict[str, list[int]] = {}
        self._queues: dict[tuple[str, str, str, int], list[T]] = {}

    def clear(self) -> None:
        for kept in (self.tickets, self.patients, self._senders, self._queues):
            kept.clear()

    def enter(self, ticket: T, sender: str) -> None:
        self._senders.setdefault(sender, []).append(len(self.tickets))
        self.tickets.append(ticket)
        self._queues.setdefault(ticket.queue, []).append(ticket)

    def queue(self, facility: str, clinic: str, day: str, doctor: int) -> list[T]:
        """Tickets of one queue in order, those given back too."""
        return self._queues.get((facility, clinic, day, doctor), [])

    def clinic_queues(self, facility: str, clinic: str, day: str) -> list[T]:
        """Tickets of all a clinic's queues of a day."""
        wanted = (facility, clinic, day)
        return [ticket for key, tickets in self._queues.items() if key[:3] == wanted for ticket in tickets]

    def matters(self, reference: str | None) -> list[int]:
        """All tickets, by their places; or those that a reference means, or those of a sender's reference.

        Raises KeyError for an unknown one.
        """
        if reference is None:
            return list(range(len(self.tickets)))
        found = [place for place, ticket in enumerate(self.tickets) if self.is_meant(ticket, reference)]
        found = found or self._senders.get(reference, [])
        if not found:
            raise KeyError(reference)
        return list(found)

    def is_meant(self, ticket: T, reference: str) -> bool:
        return ticket.reference == reference

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


def given(tickets: Sequence[Ticket]) -> int:
    return sum(ticket.state != "cancelled" for ticket in tickets)


def waiting(tickets: Sequence[Ticket]) -> int:
    return sum(ticket.state == "waiting" for ticket in tickets)


def called_last(tickets: Sequence[Ticket]) -> str:
    """The number called last, "-" before the first."""
    gone = [ticket for ticket in tickets if ticket.state in ("called", "served")]
    return max(gone, key=lambda ticket: ticket.position).number if gone else "-"


def left_before(tickets: Sequence[Ticket], ticket: Ticket) -> int:
    """How many are not called yet up to a ticket, itself among them."""
    return sum(other.state == "waiting" and other.position <= ticket.position for other in tickets)


def day_of(written: str) -> date:
    """Raises Refused for what is no date."""
    try:
        if _DATE.fullmatch(written):
            return date.fromisoformat(written)
    except ValueError:
        pass
    raise Refused("Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd")


def check_person(body: Body) -> None:
    """The insured have a card of 13 digits; others leave it out. Raises Refused."""
    if body["nomorkartu"] and (len(body["nomorkartu"]) != 13 or not body["nomorkartu"].isdecimal()):
        raise Refused("Format Nomor Kartu Tidak Sesuai")
    if not body["nik"]:
        raise Refused("NIK Belum Diisi")
    if len(body["nik"]) != 16 or not body["nik"].isdecimal():
        raise Refused("Format NIK Tidak Sesuai")
    if not body["nohp"]:
        raise Refused("No HP Belum Diisi")


def check_patient(body: Body, fields: Sequence[str]) -> None:
    """Who is to be registered tells every one of the fields. Raises Refused."""
    for field in fields:
        if not body[field]:
            raise Refused(f"{field} Belum Diisi")
    if len(body["nik"]) != 16:
        raise Refused("Format NIK Tidak Sesuai")
