"""Antrean FKTP's wire protocol with its habits, over pretended puskesmas: /antrean_fktp/<facility>/...

`work` calls the next in every queue, or moves one ticket: "call", "serve", "cancel". The switches are in `quirks`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import ClassVar

import msgspec
from aiohttp import web

from app.sandbox.port import Ledger, Route
from integrations.antrean_fktp.office import Facility, Office
from integrations.standards.antrean.office import (
    Body,
    Clinic,
    Practice,
    Refused,
    Ticket,
    called_last,
    check_patient,
    check_person,
    day_of,
    given,
    left_before,
    waiting,
)
from integrations.standards.antrean.sandbox import Answer, AntreanSandbox, body_of

_PATIENT = ("nik", "nomorkk", "nama", "jeniskelamin", "tanggallahir", "alamat", "kodeprop", "rw", "rt")


class AntreanFktpSandbox(AntreanSandbox[Facility, Ticket]):
    """Answers as the systems of puskesmas do."""

    name = "antrean_fktp"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        "only": ("all", "puskesmas-balowerti", "puskesmas-sukorame"),
        **AntreanSandbox.shared_quirks,
        "numbers": ("mixed", "text", "number"),
        "status_version": ("own", "array", "object"),
    }
    account = ("loket", "demo-antrean-fktp")
    login_refusal = "Access denied"
    counts = ("totalantrean", "sisaantrean", "angkaantrean", "kodedokter")

    def __init__(self, ledger: Ledger) -> None:
        self._office = Office()
        super().__init__(ledger, self._office, Ticket)

    def routes(self) -> Sequence[Route]:
        def route(operation: str, method: str, path: str, answer: Answer[Facility]) -> Route:
            return Route(operation, method, f"/{{facility}}{path}", self.at_facility(answer))

        return [
            route("token", "GET", "/auth", self.token),
            route("status", "GET", "/antrean/status/{clinic}/{day}", self.inside(self._status)),
            route("take", "POST", "/antrean", self.inside(self._take)),
            route("remaining", "GET", "/antrean/sisapeserta/{card}/{clinic}/{day}", self.inside(self._remaining)),
            route("register", "POST", "/peserta", self.inside(self._register)),
            route("cancel", "PUT", "/antrean/batal", self.inside(self._cancel)),
        ]

    def way(self, name: str, facility: str) -> str:
        """Its usual one where the switches are for another only."""
        only = self.quirk["only"]
        return self.quirk[name] if only in ("all", facility) or not facility else self.quirks[name][0]

    async def _status(self, facility: Facility, request: web.Request) -> web.Response:
        if self.way("status", facility.id) == "broken":
            return self.broken()
        clinic = facility.clinic(request.match_info["clinic"])
        day = self._day(facility, request.match_info["day"])
        practices = facility.practices_on(clinic, day)
        if not practices:
            raise Refused("Pendaftaran ke Poli Ini Sedang Tutup")
        if self._version(facility) == "object":
            return self.envelope(facility.id, 200, "Ok", self._clinic_row(facility, clinic, day))
        rows = [self._practice_row(facility, clinic, day, practice) for practice in practices]
        return self.envelope(facility.id, 200, "Ok", rows)

    async def _take(self, facility: Facility, request: web.Request) -> web.Response:
        body = await body_of(request)
        clinic, day, practice = self._checked(facility, body)
        card, nik = body["nomorkartu"], body["nik"]
        if not self.knows(facility, body["nik"]):
            raise Refused("Pasien Baru, silakan mendaftar dahulu", 202)
        if self._office.of_person(facility.id, clinic.code, day.isoformat(), {"card": card, "nik": nik}):
            raise Refused("Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal dan Poli Yang Sama")
        doctor = practice.doctor if self._version(facility) == "array" else 0
        queue = self._office.queue(facility.id, clinic.code, day.isoformat(), doctor)
        if given(queue) >= practice.quota:
            raise Refused(f"Kuota Antrean {clinic.name} Tanggal {day} Sudah Habis")
        position = len(self._office.clinic_queues(facility.id, clinic.code, day.isoformat())) + 1
        ticket = Ticket(
            facility=facility.id,
            clinic=clinic.code,
            day=day.isoformat(),
            doctor=doctor,
            number=f"{clinic.letter}{position}",
            position=position,
            card=card,
            nik=nik,
        )
        data = {"facility": facility.id, "number": ticket.number, "ticket": msgspec.to_builtins(ticket), "sent": body}
        self.ledger.record("take", request.headers.get("X-Reference", ""), data)
        return self.envelope(facility.id, 200, "Ok", self._ticket_row(facility, ticket) | {"angkaantrean": position})

    async def _remaining(self, facility: Facility, request: web.Request) -> web.Response:
        clinic = facility.clinic(request.match_info["clinic"])
        day = self._day(facility, request.match_info["day"])
        person = {"card": request.match_info["card"]}
        ticket = self._office.of_person(facility.id, clinic.code, day.isoformat(), person)
        if ticket is None:
            raise Refused("Antrean Tidak Ditemukan")
        if ticket.state == "served":
            raise Refused("Pasien Sudah Dilayani")
        return self.envelope(facility.id, 200, "Ok", self._ticket_row(facility, ticket))

    async def _register(self, facility: Facility, request: web.Request) -> web.Response:
        body = await body_of(request)
        check_patient(body, _PATIENT)
        if self.knows(facility, body["nik"]):
            raise Refused("Data Peserta Sudah Pernah Dientrikan")
        self.ledger.record(
            "register", request.headers.get("X-Reference", ""), {"facility": facility.id, "patient": body}
        )
        return self.envelope(facility.id, 200, "Ok")

    async def _cancel(self, facility: Facility, request: web.Request) -> web.Response:
        body = await body_of(request)
        clinic = facility.clinic(body["kodepoli"])
        day = self._day(facility, body["tanggalperiksa"])
        ticket = self._office.of_person(facility.id, clinic.code, day.isoformat(), {"card": body["nomorkartu"]})
        if ticket is None:
            raise Refused("Antrean Tidak Ditemukan atau Sudah Dibatalkan")
        if ticket.state in ("called", "served"):
            raise Refused("Pasien sudah dilayani, antrean tidak dapat dibatalkan!")
        if self._version(facility) == "array" and not body["keterangan"]:
            raise Refused("Keterangan Belum Diisi")
        moved = {str(self._office.tickets.index(ticket)): "cancelled"}
        data = {"facility": facility.id, "number": ticket.number, "why": body["keterangan"], "moved": moved}
        self.ledger.record("cancel", request.headers.get("X-Reference", ""), data)
        return self.envelope(facility.id, 200, "Ok")

    def _checked(self, facility: Facility, body: Body) -> tuple[Clinic, date, Practice]:
        """A ticket's fields in the order in which a known server looks at them. Raises Refused.

        Who names no doctor, as version 1 does, gets the first who practises.
        """
        if not body["nomorkartu"]:
            raise Refused("Nomor Kartu Belum Diisi")
        check_person(body)
        clinic = facility.clinic(body["kodepoli"])
        wanted = body["kodedokter"] if self._version(facility) == "array" else ""
        if wanted and wanted not in {str(practice.doctor) for practice in clinic.practices}:
            raise Refused("Dokter Tidak Ditemukan")
        day = self._day(facility, body["tanggalperiksa"])
        now = self.now(facility)
        if day > now.date() + timedelta(days=facility.window_days):
            raise Refused(f"Tanggal Periksa Maksimal {facility.window_days} Hari Ke Depan")
        found = [
            practice
            for practice in facility.practices_on(clinic, day)
            if not wanted or (str(practice.doctor), practice.hours) == (wanted, body["jampraktek"])
        ]
        if not body["keluhan"]:
            raise Refused("Keluhan Belum Diisi")
        if not found:
            raise Refused("Pendaftaran ke Poli Ini Sedang Tutup")
        if day == now.date() and now.time() >= found[-1].ends:
            raise Refused(f"Pendaftaran ke {clinic.name} Sudah Tutup Jam {found[-1].ends:%H:%M}")
        return clinic, day, found[0]

    def _day(self, facility: Facility, written: str) -> date:
        day = day_of(written)
        if day < self.now(facility).date():
            raise Refused("Tanggal Periksa Sudah Lewat")
        return day

    def _clinic_row(self, facility: Facility, clinic: Clinic, day: date) -> dict[str, object]:
        tickets = self._office.clinic_queues(facility.id, clinic.code, day.isoformat())
        return {"namapoli": clinic.name, **_stand(tickets), "keterangan": ""}

    def _practice_row(self, facility: Facility, clinic: Clinic, day: date, practice: Practice) -> dict[str, object]:
        tickets = self._office.queue(facility.id, clinic.code, day.isoformat(), practice.doctor)
        return {
            "namapoli": clinic.name,
            **_stand(tickets),
            "keterangan": "",
            "kodedokter": practice.doctor,
            "namadokter": practice.name,
            "jampraktek": practice.hours,
        }

    def _ticket_row(self, facility: Facility, ticket: Ticket) -> dict[str, object]:
        clinic = facility.clinic(ticket.clinic)
        tickets = self._office.queue(*ticket.queue)
        return {
            "nomorantrean": ticket.number,
            "namapoli": clinic.name,
            "sisaantrean": str(left_before(tickets, ticket)),
            "antreanpanggil": called_last(tickets),
            "keterangan": "Apabila antrean terlewat harap mengambil antrean kembali.",
        }

    def _version(self, facility: Facility) -> str:
        asked = self.way("status_version", facility.id)
        return facility.status_version if asked == "own" else asked


def _stand(tickets: Sequence[Ticket]) -> dict[str, object]:
    return {
        "totalantrean": str(given(tickets)),
        "sisaantrean": waiting(tickets),
        "antreanpanggil": called_last(tickets),
    }
