"""Antrean FKTP's wire protocol with its habits, over pretended puskesmas: /antrean_fktp/<facility>/...

`work` calls the next in every queue, or moves one ticket: "call", "serve", "cancel". The switches are in `quirks`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import ClassVar

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Handler, Ledger, Route, Sandbox
from integrations.antrean_fktp.office import (
    Clinic,
    Facility,
    Office,
    Practice,
    State,
    Ticket,
    called_last,
    left_before,
    waiting,
)

USERNAME, PASSWORD = "loket", "demo-antrean-fktp"
# A token of each kind is good for so many calls; "lasting" ones have no end.
_USES = {"one_use": 1, "five_uses": 5, "always_expired": 0}
_WARNING = (
    "<br />\n<b>Notice</b>:  Undefined index: {norm} in <b>/var/www/html/antrean/application/controllers/Api.php</b> "
    "on line <b>[214]</b><br />\n"
)
_TRACE = (
    "<h1>A PHP Error was encountered</h1><p>Severity: Error</p><p>Message: Call to a member function row() on bool</p>"
    "<p>Filename: models/M_antrean.php</p>"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Fields that vendors write as a number or as text.
_COUNTS = {"totalantrean", "sisaantrean", "angkaantrean", "kodedokter"}

Body = Mapping[str, str]
Answer = Callable[[Facility, web.Request], Awaitable[web.Response]]


class Refused(Exception):
    """The answer is a code and words."""

    def __init__(self, message: str, code: int = 201) -> None:
        super().__init__(message)
        self.code = code


class AntreanFktpSandbox(Sandbox):
    """Answers as the systems of puskesmas do."""

    name = "antrean_fktp"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        "only": ("all", "puskesmas-balowerti", "puskesmas-sukorame"),
        "envelope": ("metadata", "metaData"),
        "code": ("number", "text"),
        "http": ("always_200", "mirrored"),
        "numbers": ("mixed", "text", "number"),
        "before": ("nothing", "warnings"),
        "status_version": ("own", "array", "object"),
        "status": ("works", "broken"),
        "token": ("lasting", "five_uses", "one_use", "always_expired"),
        "token_refusal": ("envelope", "http_401"),
        "patients": ("most_known", "none_known"),
        "zone": ("own", "Asia/Makassar", "Asia/Jayapura"),
    }
    hopeless: ClassVar[Sequence[tuple[str, str]]] = (("token", "always_expired"),)

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._office = Office()
        self._tokens: dict[str, tuple[str, int]] = {}

    def routes(self) -> Sequence[Route]:
        def route(operation: str, method: str, path: str, answer: Answer) -> Route:
            return Route(operation, method, f"/{{facility}}{path}", self._at_facility(answer))

        return [
            route("token", "GET", "/auth", self._token),
            route("status", "GET", "/antrean/status/{clinic}/{day}", self._inside(self._status)),
            route("take", "POST", "/antrean", self._inside(self._take)),
            route("remaining", "GET", "/antrean/sisapeserta/{card}/{clinic}/{day}", self._inside(self._remaining)),
            route("register", "POST", "/peserta", self._inside(self._register)),
            route("cancel", "PUT", "/antrean/batal", self._inside(self._cancel)),
        ]

    def apply(self, effect: Effect) -> None:
        data = effect.data
        if effect.operation == "take":
            self._office.enter(msgspec.convert(data["ticket"], Ticket), effect.reference)
        elif effect.operation == "register":
            patient = msgspec.convert(data["patient"], dict[str, str])
            self._office.patients[str(data["facility"]), patient["nik"]] = patient
        else:
            for index, state in msgspec.convert(data["moved"], dict[int, State], strict=False).items():
                self._office.tickets[index].state = state

    def clear(self) -> None:
        self._office.clear()
        self._tokens.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        if step not in (None, "call", "serve", "cancel"):
            raise ValueError(f"no step {step!r}: call, serve, cancel")
        if reference is None and step is None:
            return self._move(self._office.rounds())
        moved: list[str] = []
        for index in self._office.matters(reference):
            moved += self._move(self._office.calls(index, step))
        return moved

    def refuse_auth(self) -> web.Response:
        return self._envelope("", 201, "Token expired or missing")

    def _move(self, moved: Mapping[int, State]) -> list[str]:
        if moved:
            self.ledger.record("work", "", {"moved": {str(index): state for index, state in moved.items()}})
        return [self._office.tickets[index].reference for index in moved]

    def _at_facility(self, answer: Answer) -> Handler:
        """The facility of the address, and its refusals as it words them."""

        async def handle(request: web.Request) -> web.StreamResponse:
            facility = self._office.facilities.get(request.match_info["facility"])
            if facility is None:
                return web.Response(status=404, text="<h1>404 Not Found</h1>", content_type="text/html")
            try:
                return await answer(facility, request)
            except Refused as refused:
                return self._envelope(facility.id, refused.code, str(refused))

        return handle

    def _inside(self, answer: Answer) -> Answer:
        """Only with a token that is still good."""

        async def handle(facility: Facility, request: web.Request) -> web.Response:
            token = request.headers.get("x-token", "")
            owner, uses = self._tokens.get(token, ("", 0))
            allowed = _USES.get(self._quirk("token", facility.id))
            known = owner == facility.id and request.headers.get("x-username") == USERNAME
            if not known or (allowed is not None and uses >= allowed):
                if self._quirk("token_refusal", facility.id) == "http_401":
                    return web.Response(status=401, text="Unauthorized")
                raise Refused("Token expired or missing")
            self._tokens[token] = (owner, uses + 1)
            return await answer(facility, request)

        return handle

    async def _token(self, facility: Facility, request: web.Request) -> web.Response:
        if (request.headers.get("x-username"), request.headers.get("x-password")) != (USERNAME, PASSWORD):
            raise Refused("Access denied")
        token = f"{facility.id}.{len(self._tokens) + 1:06d}"
        self._tokens[token] = (facility.id, 0)
        return self._envelope(facility.id, 200, "Ok", {"token": token})

    async def _status(self, facility: Facility, request: web.Request) -> web.Response:
        if self._quirk("status", facility.id) == "broken":
            return web.Response(status=500, text=_TRACE, content_type="text/html")
        clinic = self._clinic(facility, request.match_info["clinic"])
        day = self._day(facility, request.match_info["day"])
        practices = facility.practices_on(clinic, day)
        if not practices:
            raise Refused("Pendaftaran ke Poli Ini Sedang Tutup")
        if self._version(facility) == "object":
            return self._envelope(facility.id, 200, "Ok", self._clinic_row(facility, clinic, day))
        rows = [self._practice_row(facility, clinic, day, practice) for practice in practices]
        return self._envelope(facility.id, 200, "Ok", rows)

    async def _take(self, facility: Facility, request: web.Request) -> web.Response:
        body = await _body(request)
        clinic, day, practice = self._checked(facility, body)
        card, nik = body["nomorkartu"], body["nik"]
        if not self._knows(facility, body["nik"]):
            raise Refused("Pasien Baru, silakan mendaftar dahulu", 202)
        if self._office.of_person(facility.id, clinic.code, day.isoformat(), {"card": card, "nik": nik}):
            raise Refused("Nomor Antrean Hanya Dapat Diambil 1 Kali Pada Tanggal dan Poli Yang Sama")
        doctor = practice.doctor if self._version(facility) == "array" else 0
        queue = self._office.queue(facility.id, clinic.code, day.isoformat(), doctor)
        if sum(ticket.state != "cancelled" for ticket in queue) >= practice.quota:
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
        return self._envelope(facility.id, 200, "Ok", self._ticket_row(facility, ticket) | {"angkaantrean": position})

    async def _remaining(self, facility: Facility, request: web.Request) -> web.Response:
        clinic = self._clinic(facility, request.match_info["clinic"])
        day = self._day(facility, request.match_info["day"])
        person = {"card": request.match_info["card"]}
        ticket = self._office.of_person(facility.id, clinic.code, day.isoformat(), person)
        if ticket is None:
            raise Refused("Antrean Tidak Ditemukan")
        if ticket.state == "served":
            raise Refused("Pasien Sudah Dilayani")
        return self._envelope(facility.id, 200, "Ok", self._ticket_row(facility, ticket))

    async def _register(self, facility: Facility, request: web.Request) -> web.Response:
        body = await _body(request)
        for field in ("nik", "nomorkk", "nama", "jeniskelamin", "tanggallahir", "alamat", "kodeprop", "rw", "rt"):
            if not body[field]:
                raise Refused(f"{field} Belum Diisi")
        if len(body["nik"]) != 16:
            raise Refused("Format NIK Tidak Sesuai")
        if self._knows(facility, body["nik"]):
            raise Refused("Data Peserta Sudah Pernah Dientrikan")
        self.ledger.record(
            "register", request.headers.get("X-Reference", ""), {"facility": facility.id, "patient": body}
        )
        return self._envelope(facility.id, 200, "Ok")

    async def _cancel(self, facility: Facility, request: web.Request) -> web.Response:
        body = await _body(request)
        clinic = self._clinic(facility, body["kodepoli"])
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
        return self._envelope(facility.id, 200, "Ok")

    def _checked(self, facility: Facility, body: Body) -> tuple[Clinic, date, Practice]:
        """A ticket's fields in the order in which a known server looks at them. Raises Refused.

        Who names no doctor, as version 1 does, gets the first who practises.
        """
        _check_person(body)
        clinic = self._clinic(facility, body["kodepoli"])
        wanted = body["kodedokter"] if self._version(facility) == "array" else ""
        if wanted and wanted not in {str(practice.doctor) for practice in clinic.practices}:
            raise Refused("Dokter Tidak Ditemukan")
        day = self._day(facility, body["tanggalperiksa"])
        now = self._office.now(facility, self._zone(facility))
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

    def _clinic(self, facility: Facility, code: str) -> Clinic:
        clinic = facility.clinic(code)
        if clinic is None:
            raise Refused("Poli Tidak Ditemukan")
        return clinic

    def _day(self, facility: Facility, written: str) -> date:
        try:
            day = date.fromisoformat(written) if _DATE.fullmatch(written) else None
        except ValueError:
            day = None
        if day is None:
            raise Refused("Format Tanggal Tidak Sesuai, format yang benar adalah yyyy-mm-dd")
        if day < self._office.now(facility, self._zone(facility)).date():
            raise Refused("Tanggal Periksa Sudah Lewat")
        return day

    def _knows(self, facility: Facility, nik: str) -> bool:
        if (facility.id, nik) in self._office.patients:
            return True
        return self._quirk("patients", facility.id) == "most_known" and nik not in self._office.strangers

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
            "namapoli": clinic.name if clinic else "",
            "sisaantrean": str(left_before(tickets, ticket)),
            "antreanpanggil": called_last(tickets),
            "keterangan": "Apabila antrean terlewat harap mengambil antrean kembali.",
        }

    def _version(self, facility: Facility) -> str:
        asked = self._quirk("status_version", facility.id)
        return facility.status_version if asked == "own" else asked

    def _zone(self, facility: Facility) -> str:
        asked = self._quirk("zone", facility.id)
        return facility.zone if asked == "own" else asked

    def _quirk(self, name: str, facility: str) -> str:
        """A quirk's way at one facility: its usual one where the switches are for another only."""
        only = self.quirk["only"]
        return self.quirk[name] if only in ("all", facility) or not facility else self.quirks[name][0]

    def _envelope(self, facility: str, code: int, message: str, response: object = None) -> web.Response:
        way = partial(self._quirk, facility=facility)
        head = {"message": message, "code": str(code) if way("code") == "text" else code}
        answer = {way("envelope"): head} | (
            {} if response is None else {"response": _counted(response, way("numbers"))}
        )
        before = _WARNING if way("before") == "warnings" else ""
        status = code if way("http") == "mirrored" else 200
        body = before.encode() + msgspec.json.encode(answer)
        return web.Response(status=status, body=body, content_type="text/html" if before else "application/json")


def _check_person(body: Body) -> None:
    if not body["nomorkartu"]:
        raise Refused("Nomor Kartu Belum Diisi")
    if len(body["nomorkartu"]) != 13 or not body["nomorkartu"].isdecimal():
        raise Refused("Format Nomor Kartu Tidak Sesuai")
    if not body["nik"]:
        raise Refused("NIK Belum Diisi")
    if len(body["nik"]) != 16 or not body["nik"].isdecimal():
        raise Refused("Format NIK Tidak Sesuai")
    if not body["nohp"]:
        raise Refused("No HP Belum Diisi")


def _stand(tickets: Sequence[Ticket]) -> dict[str, object]:
    given = sum(ticket.state != "cancelled" for ticket in tickets)
    return {"totalantrean": str(given), "sisaantrean": waiting(tickets), "antreanpanggil": called_last(tickets)}


def _counted(response: object, way: str) -> object:
    """Counts as text, as numbers, or as each field's habit has them."""
    if isinstance(response, list):
        return [_counted(row, way) for row in response]
    if not isinstance(response, dict) or way == "mixed":
        return response
    kind = str if way == "text" else int
    return {name: kind(value) if name in _COUNTS else value for name, value in response.items()}


async def _body(request: web.Request) -> "_Fields":
    """The fields sent, as text; "" for what is not there."""
    try:
        sent = msgspec.json.decode(await request.read(), type=dict[str, object])
    except msgspec.DecodeError:
        raise Refused("Format JSON Tidak Sesuai") from None
    return _Fields({name: "" if value is None else str(value) for name, value in sent.items()})


class _Fields(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return ""
