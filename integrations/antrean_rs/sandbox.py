"""Antrean RS's wire protocol with its habits, over a pretended hospital: /antrean_rs/<facility>/...

`work` calls the next in every queue, or moves one ticket: "call", "serve", "cancel". The switches are in `quirks`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Ledger, Route
from integrations.antrean_rs.office import Facility, Office, Ticket, check_visit, quotas, scheduled
from integrations.standards.antrean.office import (
    Body,
    Clinic,
    Practice,
    Refused,
    called_last,
    check_patient,
    check_person,
    given,
    left_before,
    waiting,
)
from integrations.standards.antrean.sandbox import Answer, AntreanSandbox, body_of

# Operations by the addresses that two vendors give them.
_PATHS: Mapping[str, tuple[str, str]] = {
    "token": ("token", "api/v2/get-token"),
    "status": ("statusantrean", "api/v2/antrian/status"),
    "take": ("ambilantrean", "api/v2/antrian/ambil"),
    "remaining": ("sisaantrean", "api/v2/antrian/sisa"),
    "cancel": ("batalantrean", "api/v2/antrian/batal"),
    "check_in": ("checkinantrean", "api/v2/antrian/checkin"),
    "register": ("pasienbaru", "api/v2/pasien"),
}
_HEADERS = {"usual": ("x-username", "x-password", "x-token"), "other": ("username", "password", "token")}

_PATIENT = ("nik", "nomorkk", "nama", "jeniskelamin", "tanggallahir", "nohp", "alamat", "kodeprop", "rw", "rt")


class AntreanRsSandbox(AntreanSandbox[Facility, Ticket]):
    """Answers as the systems of hospitals do."""

    name = "antrean_rs"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        **AntreanSandbox.shared_quirks,
        "numbers": ("number", "text"),
        "estimate": ("number", "text", "local", "none"),
        "headers": ("usual", "other"),
    }
    hopeless: ClassVar[Sequence[tuple[str, str]]] = (*AntreanSandbox.hopeless, ("headers", "other"))
    account = ("loket", "demo-antrean-rs")
    login_refusal = "Username atau Password Tidak Sesuai"
    counts = (
        "totalantrean",
        "sisaantrean",
        "angkaantrean",
        "waktutunggu",
        "kuotajkn",
        "sisakuotajkn",
        "kuotanonjkn",
        "sisakuotanonjkn",
    )

    def __init__(self, ledger: Ledger) -> None:
        self._office = Office()
        super().__init__(ledger, self._office, Ticket)

    def routes(self) -> Sequence[Route]:
        answers: Mapping[str, Answer[Facility]] = {
            "status": self._status,
            "take": self._take,
            "remaining": self._remaining,
            "cancel": self._cancel,
            "check_in": self._check_in,
            "register": self._register,
        }
        posted = [
            Route(operation, "POST", f"/{{facility}}/{path}", self.at_facility(self.inside(answer)))
            for operation, answer in answers.items()
            for path in _PATHS[operation]
        ]
        return [
            *(Route("token", "GET", f"/{{facility}}/{path}", self.at_facility(self.token)) for path in _PATHS["token"]),
            *posted,
        ]

    def apply(self, effect: Effect) -> None:
        if effect.operation == "check_in":
            self._office.tickets[int(str(effect.data["place"]))].checked_in = True
        else:
            super().apply(effect)

    def headers(self) -> tuple[str, str, str]:
        return _HEADERS[self.quirk["headers"]]

    async def _status(self, facility: Facility, request: web.Request) -> web.Response:
        if self.way("status", facility.id) == "broken":
            return self.broken()
        clinic, day, practice = scheduled(facility, await body_of(request), self.now(facility).date())
        tickets = self._office.queue(facility.id, clinic.code, day.isoformat(), practice.doctor)
        answer = {
            "namapoli": clinic.name,
            "namadokter": practice.name,
            "totalantrean": given(tickets),
            "sisaantrean": waiting(tickets),
            "antreanpanggil": called_last(tickets),
            **quotas(practice, tickets),
            "keterangan": "",
        }
        return self.envelope(facility.id, 200, "Ok", answer)

    async def _take(self, facility: Facility, request: web.Request) -> web.Response:
        body = await body_of(request)
        check_person(body)
        now = self.now(facility)
        clinic, day, practice = scheduled(facility, body, now.date())
        if day > now.date() + timedelta(days=facility.window_days):
            raise Refused(f"Tanggal Periksa Maksimal {facility.window_days} Hari Ke Depan")
        if day == now.date() and now.time() >= practice.ends:
            raise Refused(f"Pendaftaran ke {clinic.name} Sudah Tutup Jam {practice.ends:%H:%M}")
        check_visit(body)
        if not self.knows(facility, body["nik"]):
            raise Refused("Data pasien ini tidak ditemukan, silahkan Melakukan Registrasi Pasien Baru", 202)
        if self._office.of_person(facility.id, clinic.code, day.isoformat(), body["nik"]):
            raise Refused("Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal Yang Sama")
        tickets = self._office.queue(facility.id, clinic.code, day.isoformat(), practice.doctor)
        kind = "jkn" if body["nomorkartu"] else "nonjkn"
        if not quotas(practice, tickets)[f"sisakuota{kind}"]:
            raise Refused(f"Kuota {kind.upper()} {practice.name} Sudah Penuh")
        ticket = self._new(facility, clinic, practice, (day, body))
        data = {"facility": facility.id, "number": ticket.number, "ticket": msgspec.to_builtins(ticket), "sent": body}
        self.ledger.record("take", request.headers.get("X-Reference", ""), data)
        return self.envelope(facility.id, 200, "Ok", self._taken(facility, clinic, practice, ticket))

    def _new(self, facility: Facility, clinic: Clinic, practice: Practice, asked: tuple[date, Body]) -> Ticket:
        day, body = asked
        position = len(self._office.clinic_queues(facility.id, clinic.code, day.isoformat())) + 1
        return Ticket(
            facility=facility.id,
            clinic=clinic.code,
            day=day.isoformat(),
            doctor=practice.doctor,
            number=f"{clinic.letter}-{position:03d}",
            position=position,
            card=body["nomorkartu"],
            nik=body["nik"],
            booking=f"{day:%Y%m%d}{clinic.code}{position:04d}",
        )

    def _taken(self, facility: Facility, clinic: Clinic, practice: Practice, ticket: Ticket) -> dict[str, object]:
        tickets = self._office.queue(*ticket.queue)
        ahead = left_before(tickets, ticket) - 1
        begins = datetime.combine(date.fromisoformat(ticket.day), practice.begins, self.now(facility).tzinfo)
        answer = {
            "nomorantrean": ticket.number,
            "angkaantrean": f"{ticket.position:03d}" if self.quirk["numbers"] == "text" else ticket.position,
            "kodebooking": ticket.booking,
            "norm": self._office.record_number(facility, ticket.nik),
            "namapoli": clinic.name,
            "namadokter": practice.name,
            **quotas(practice, tickets),
            "keterangan": "Peserta harap 60 menit lebih awal guna pencatatan administrasi.",
        }
        return answer | _estimate(begins + timedelta(minutes=clinic.minutes * ahead), self.quirk["estimate"])

    async def _remaining(self, facility: Facility, request: web.Request) -> web.Response:
        _, ticket = self._office.booked(facility.id, (await body_of(request))["kodebooking"])
        if ticket.state == "served":
            raise Refused("Pasien Sudah Dilayani")
        clinic = facility.clinic(ticket.clinic)
        practice = next(one for one in clinic.practices if one.doctor == ticket.doctor)
        tickets = self._office.queue(*ticket.queue)
        left = left_before(tickets, ticket)
        answer = {
            "nomorantrean": ticket.number,
            "namapoli": clinic.name,
            "namadokter": practice.name,
            "sisaantrean": left,
            "antreanpanggil": called_last(tickets),
            "waktutunggu": max(left - 1, 0) * 60 * clinic.minutes,
            "keterangan": "",
        }
        return self.envelope(facility.id, 200, "Ok", answer)

    async def _cancel(self, facility: Facility, request: web.Request) -> web.Response:
        body = await body_of(request)
        place, ticket = self._office.booked(facility.id, body["kodebooking"])
        if ticket.state in ("called", "served"):
            raise Refused("Pasien sudah dilayani, antrean tidak dapat dibatalkan!")
        if ticket.checked_in:
            raise Refused("Pasien Sudah Checkin, Pendaftaran Tidak Bisa Dibatalkan")
        if not body["keterangan"]:
            raise Refused("Keterangan Belum Diisi")
        data = {"facility": facility.id, "number": ticket.number, "why": body["keterangan"]}
        self.ledger.record(
            "cancel", request.headers.get("X-Reference", ""), {**data, "moved": {str(place): "cancelled"}}
        )
        return self.envelope(facility.id, 200, "Ok")

    async def _check_in(self, facility: Facility, request: web.Request) -> web.Response:
        body = await body_of(request)
        place, ticket = self._office.booked(facility.id, body["kodebooking"])
        if not re.fullmatch(r"[0-9]{13}", body["waktu"]):
            raise Refused("Waktu Tidak Sesuai")
        if ticket.checked_in:
            raise Refused("Anda Sudah Melakukan Checkin")
        data = {"facility": facility.id, "number": ticket.number, "place": place}
        self.ledger.record("check_in", request.headers.get("X-Reference", ""), data)
        return self.envelope(facility.id, 200, "Ok")

    async def _register(self, facility: Facility, request: web.Request) -> web.Response:
        body = await body_of(request)
        check_patient(body, _PATIENT)
        if self.knows(facility, body["nik"]):
            raise Refused("Data Peserta Sudah Pernah Dientrikan")
        number = f"90-{len(self._office.patients) + 1:02d}-01"
        data = {"facility": facility.id, "patient": body, "norm": number}
        self.ledger.record("register", request.headers.get("X-Reference", ""), data)
        return self.envelope(
            facility.id, 200, "Harap datang ke admisi untuk melengkapi data rekam medis", {"norm": number}
        )


def _estimate(at: datetime, way: str) -> dict[str, object]:
    """When the ticket may be served: milliseconds since 1970, or the hospital's own time without its zone."""
    milliseconds = int(at.timestamp() * 1000)
    ways: Mapping[str, object] = {"number": milliseconds, "text": str(milliseconds), "local": f"{at:%Y-%m-%d %H:%M:%S}"}
    return {"estimasidilayani": ways[way]} if way in ways else {}
