"""The pretended hospital behind the sandbox, and what it checks of a ticket. No HTTP here."""

import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec

from integrations.standards.antrean import office
from integrations.standards.antrean.office import Body, Clinic, Practice, Refused, day_of, given


class Facility(office.Facility, frozen=True, kw_only=True):
    """One hospital."""

    weekdays: list[int]

    def is_open(self, day: date) -> bool:
        return day.isoweekday() in self.weekdays and day.isoformat() not in self.closed_on


class Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is entered once: sandbox.toml."""

    strangers: list[str]
    facilities: list[Facility]


class Ticket(office.Ticket, kw_only=True):
    """One ticket, known by its booking code."""

    booking: str
    checked_in: bool = False

    @property
    def reference(self) -> str:
        return self.booking


class Office(office.Office[Facility, Ticket]):
    """Every ticket and patient of every hospital."""

    def __init__(self) -> None:
        raw = tomllib.loads(Path(__file__).with_name("sandbox.toml").read_text("utf-8"))
        tables = msgspec.convert(raw, Tables)
        super().__init__(tables.facilities, tables.strangers)
        self._bookings: dict[tuple[str, str], int] = {}

    def clear(self) -> None:
        super().clear()
        self._bookings.clear()

    def enter(self, ticket: Ticket, sender: str) -> None:
        self._bookings[ticket.facility, ticket.booking] = len(self.tickets)
        super().enter(ticket, sender)

    def record_number(self, facility: Facility, nik: str) -> str:
        """Who was registered has the number given then; who was known before, one that never changes."""
        return self.patients.get((facility.id, nik), f"00-{nik[-4:-2]}-{nik[-2:]}")

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


def scheduled(facility: Facility, body: Body, today: date) -> tuple[Clinic, date, Practice]:
    """Clinic, day and doctor of what is asked for. Raises Refused."""
    clinic = facility.clinic(body["kodepoli"])
    day = day_of(body["tanggalperiksa"])
    if day < today:
        raise Refused("Tanggal Periksa Tidak Berlaku")
    if not facility.is_open(day):
        raise Refused("Pendaftaran ke Poli Ini Sedang Tutup")
    practice = next((one for one in clinic.practices if str(one.doctor) == body["kodedokter"]), None)
    if practice is None:
        raise Refused("Dokter Tidak Ditemukan")
    if day.isoweekday() not in practice.weekdays or practice.hours != body["jampraktek"]:
        another = "Silahkan Reschedule Tanggal dan Jam Praktek Lainnya"
        raise Refused(f"Jadwal Dokter {practice.name} Tersebut Belum Tersedia, {another}")
    return clinic, day, practice


def check_visit(body: Body) -> None:
    """The insured come by a referral."""
    if body["nomorkartu"] and body["jeniskunjungan"] not in ("1", "2", "3", "4"):
        raise Refused("Jenis Kunjungan Tidak Ditemukan")
    if body["nomorkartu"] and not body["nomorreferensi"]:
        raise Refused("Nomor Referensi Belum Diisi")


def quotas(practice: Practice, tickets: Sequence[Ticket]) -> dict[str, object]:
    insured = given([ticket for ticket in tickets if ticket.card])
    others = given([ticket for ticket in tickets if not ticket.card])
    return {
        "kuotajkn": practice.quota,
        "sisakuotajkn": max(practice.quota - insured, 0),
        "kuotanonjkn": practice.quota_others,
        "sisakuotanonjkn": max(practice.quota_others - others, 0),
    }
