"""The pretended hospital behind the sandbox: doctors' hours, patients, tickets, and the queue. No HTTP here."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Literal

import msgspec

State = Literal["waiting", "called", "served", "cancelled"]
Body = Mapping[str, str]
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
STEPS: Mapping[str, State] = {"call": "called", "serve": "served", "cancel": "cancelled"}


class Refused(Exception):
    """The answer is a code and words."""

    def __init__(self, message: str, code: int = 201) -> None:
        super().__init__(message)
        self.code = code


class Practice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One doctor's hours at a clinic, and how many tickets they give a day to the insured and to others."""

    doctor: int
    name: str
    hours: str
    quota: int
    quota_others: int
    weekdays: Sequence[int] = (1, 2, 3, 4, 5, 6, 7)

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


class Facility(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One hospital."""

    id: str
    zone: str
    weekdays: list[int]
    closed_on: list[str]
    window_days: int
    clinics: list[Clinic]

    def clinic(self, code: str) -> Clinic | None:
        return next((clinic for clinic in self.clinics if clinic.code == code), None)

    def is_open(self, day: date) -> bool:
        return day.isoweekday() in self.weekdays and day.isoformat() not in self.closed_on


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is entered once: sandbox.toml."""

    strangers: list[str]
    facilities: list[Facility]


class Ticket(msgspec.Struct, kw_only=True):
    """One ticket. `card` is "" for who is not insured."""

    facility: str
    clinic: str
    day: str
    doctor: int
    number: str
    position: int
    card: str
    nik: str
    booking: str
    state: State = "waiting"
    checked_in: bool = False

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
        self._bookings: dict[tuple[str, str], int] = {}
        self._queues: dict[tuple[str, str, str, int], list[Ticket]] = {}
        self.record_numbers: dict[tuple[str, str], str] = {}

    def clear(self) -> None:
        for kept in (self.tickets, self._senders, self._bookings, self._queues, self.record_numbers):
            kept.clear()

    def record_number(self, facility: Facility, nik: str) -> str:
        """Who was registered has the number given then; who was known before, one that never changes."""
        return self.record_numbers.get((facility.id, nik), f"00-{nik[-4:-2]}-{nik[-2:]}")

    def enter(self, ticket: Ticket, sender: str) -> None:
        self._senders.setdefault(sender, []).append(len(self.tickets))
        self._bookings[ticket.facility, ticket.booking] = len(self.tickets)
        self.tickets.append(ticket)
        self._queues.setdefault(ticket.queue, []).append(ticket)

    def queue(self, facility: str, clinic: str, day: str, doctor: int) -> list[Ticket]:
        """Tickets of one queue in order, those given back too."""
        return self._queues.get((facility, clinic, day, doctor), [])

    def clinic_queues(self, facility: str, clinic: str, day: str) -> list[Ticket]:
        """Tickets of all a clinic's queues of a day."""
        wanted = (facility, clinic, day)
        return [ticket for key, tickets in self._queues.items() if key[:3] == wanted for ticket in tickets]

    def of_person(self, facility: str, clinic: str, day: str, nik: str) -> Ticket | None:
        """A person's ticket that was not given back."""
        tickets = self.clinic_queues(facility, clinic, day)
        return next((ticket for ticket in tickets if ticket.nik == nik and ticket.state != "cancelled"), None)

    def booked(self, facility: str, booking: str) -> tuple[int, Ticket]:
        """A booking's ticket and its place among all. Raises Refused."""
        place = self._bookings.get((facility, booking))
        if place is None:
            raise Refused("Antrean Tidak Ditemukan")
        if self.tickets[place].state == "cancelled":
            raise Refused("Antrean Tidak Ditemukan atau Sudah Dibatalkan")
        return place, self.tickets[place]

    def matters(self, reference: str | None) -> list[int]:
        """All tickets, by their places; or those of a booking code, or of a sender's reference.

        Raises KeyError for an unknown one.
        """
        if reference is None:
            return list(range(len(self.tickets)))
        found = [place for (_, booking), place in self._bookings.items() if booking == reference]
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


def scheduled(facility: Facility, body: Body, today: date) -> tuple[Clinic, date, Practice]:
    """Clinic, day and doctor of what is asked for. Raises Refused."""
    clinic = facility.clinic(body["kodepoli"])
    if clinic is None:
        raise Refused("Poli Tidak Ditemukan")
    day = _day(body["tanggalperiksa"], today)
    if not facility.is_open(day):
        raise Refused("Pendaftaran ke Poli Ini Sedang Tutup")
    practice = next((one for one in clinic.practices if str(one.doctor) == body["kodedokter"]), None)
    if practice is None:
        raise Refused("Dokter Tidak Ditemukan")
    if day.isoweekday() not in practice.weekdays or practice.hours != body["jampraktek"]:
        another = "Silahkan Reschedule Tanggal dan Jam Praktek Lainnya"
        raise Refused(f"Jadwal Dokter {practice.name} Tersebut Belum Tersedia, {another}")
    return clinic, day, practice


def check_person(body: Body) -> None:
    """The insured have a card of 13 digits; others leave it out."""
    if body["nomorkartu"] and (len(body["nomorkartu"]) != 13 or not body["nomorkartu"].isdecimal()):
        raise Refused("Format Nomor Kartu Tidak Sesuai")
    if not body["nik"]:
        raise Refused("NIK Belum Diisi")
    if len(body["nik"]) != 16 or not body["nik"].isdecimal():
        raise Refused("Format NIK Tidak Sesuai")
    if not body["nohp"]:
        raise Refused("No HP Belum Diisi")


def check_visit(body: Body) -> None:
    """The insured come by a referral."""
    if body["nomorkartu"] and body["jeniskunjungan"] not in ("1", "2", "3", "4"):
        raise Refused("Jenis Kunjungan Tidak Ditemukan")
    if body["nomorkartu"] and not body["nomorreferensi"]:
        raise Refused("Nomor Referensi Belum Diisi")


def given(tickets: Sequence[Ticket]) -> int:
    return sum(ticket.state != "cancelled" for ticket in tickets)


def quotas(practice: Practice, tickets: Sequence[Ticket]) -> dict[str, object]:
    insured = given([ticket for ticket in tickets if ticket.card])
    others = given([ticket for ticket in tickets if not ticket.card])
    return {
        "kuotajkn": practice.quota,
        "sisakuotajkn": max(practice.quota - insured, 0),
        "kuotanonjkn": practice.quota_others,
        "sisakuotanonjkn": max(practice.quota_others - others, 0),
    }


def _day(written: str, today: date) -> date:
    try:
        day = date.fromisoformat(written) if _DATE.fullmatch(written) else None
    except ValueError:
        day = None
    if day is None:
        raise Refused("Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd")
    if day < today:
        raise Refused("Tanggal Periksa Tidak Berlaku")
    return day
