"""Antrean RS's wire protocol with its habits, over a pretended hospital: /antrean_rs/<facility>/...

`work` calls the next in every queue, or moves one ticket: "call", "serve", "cancel". The switches are in `quirks`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Handler, Ledger, Route, Sandbox
from integrations.antrean_rs.office import (
    Body,
    Clinic,
    Facility,
    Office,
    Practice,
    Refused,
    State,
    Ticket,
    called_last,
    check_person,
    check_visit,
    given,
    left_before,
    quotas,
    scheduled,
    waiting,
)

USERNAME, PASSWORD = "loket", "demo-antrean-rs"
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
# Fields that vendors write as a number or as text.
_COUNTS = {
    "totalantrean",
    "sisaantrean",
    "angkaantrean",
    "waktutunggu",
    "kuotajkn",
    "sisakuotajkn",
    "kuotanonjkn",
    "sisakuotanonjkn",
}
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

Answer = Callable[[Facility, web.Request], Awaitable[web.Response]]


class AntreanRsSandbox(Sandbox):
    """Answers as the systems of hospitals do."""

    name = "antrean_rs"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        "envelope": ("metadata", "metaData"),
        "code": ("number", "text"),
        "http": ("always_200", "mirrored"),
        "numbers": ("number", "text"),
        "before": ("nothing", "warnings"),
        "estimate": ("number", "text", "local", "none"),
        "headers": ("usual", "other"),
        "status": ("works", "broken"),
        "token": ("lasting", "five_uses", "one_use", "always_expired"),
        "token_refusal": ("envelope", "http_401"),
        "patients": ("most_known", "none_known"),
        "zone": ("own", "Asia/Makassar", "Asia/Jayapura"),
    }
    hopeless: ClassVar[Sequence[tuple[str, str]]] = (("token", "always_expired"), ("headers", "other"))

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._office = Office()
        self._tokens: dict[str, tuple[str, int]] = {}

    def routes(self) -> Sequence[Route]:
        answers: Mapping[str, Answer] = {
            "status": self._status,
            "take": self._take,
            "remaining": self._remaining,
            "cancel": self._cancel,
            "check_in": self._check_in,
            "register": self._register,
        }
        posted = [
            Route(operation, "POST", f"/{{facility}}/{path}", self._at_facility(self._inside(answer)))
            for operation, answer in answers.items()
            for path in _PATHS[operation]
        ]
        return [
            *(
                Route("token", "GET", f"/{{facility}}/{path}", self._at_facility(self._token))
                for path in _PATHS["token"]
            ),
            *posted,
        ]

    def apply(self, effect: Effect) -> None:
        data = effect.data
        if effect.operation == "take":
            self._office.enter(msgspec.convert(data["ticket"], Ticket), effect.reference)
        elif effect.operation == "register":
            patient = msgspec.convert(data["patient"], dict[str, str])
            self._office.record_numbers[str(data["facility"]), patient["nik"]] = str(data["norm"])
        elif effect.operation == "check_in":
            self._office.tickets[int(str(data["place"]))].checked_in = True
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
        return self._envelope(201, "Token expired or missing")

    def _move(self, moved: Mapping[int, State]) -> list[str]:
        if moved:
            self.ledger.record("work", "", {"moved": {str(index): state for index, state in moved.items()}})
        return [self._office.tickets[index].booking for index in moved]

    def _at_facility(self, answer: Answer) -> Handler:
        """The facility of the address, and its refusals as it words them."""

        async def handle(request: web.Request) -> web.StreamResponse:
            facility = self._office.facilities.get(request.match_info["facility"])
            if facility is None:
                return web.Response(status=404, text="<h1>404 Not Found</h1>", content_type="text/html")
            try:
                return await answer(facility, request)
            except Refused as refused:
                return self._envelope(refused.code, str(refused))

        return handle

    def _inside(self, answer: Answer) -> Answer:
        """Only with a token that is still good."""

        async def handle(facility: Facility, request: web.Request) -> web.Response:
            username, _, header = _HEADERS[self.quirk["headers"]]
            token = request.headers.get(header, "")
            owner, uses = self._tokens.get(token, ("", 0))
            allowed = _USES.get(self.quirk["token"])
            known = owner == facility.id and request.headers.get(username) == USERNAME
            if not known or (allowed is not None and uses >= allowed):
                if self.quirk["token_refusal"] == "http_401":  # noqa: S105 - the name of a way, no password
                    return web.Response(status=401, text="Unauthorized")
                raise Refused("Token expired or missing")
            self._tokens[token] = (owner, uses + 1)
            return await answer(facility, request)

        return handle

    async def _token(self, facility: Facility, request: web.Request) -> web.Response:
        username, password, _ = _HEADERS[self.quirk["headers"]]
        if (request.headers.get(username), request.headers.get(password)) != (USERNAME, PASSWORD):
            raise Refused("Username atau Password Tidak Sesuai")
        token = f"{facility.id}.{len(self._tokens) + 1:06d}"
        self._tokens[token] = (facility.id, 0)
        return self._envelope(200, "Ok", {"token": token})

    async def _status(self, facility: Facility, request: web.Request) -> web.Response:
        if self.quirk["status"] == "broken":
            return web.Response(status=500, text=_TRACE, content_type="text/html")
        clinic, day, practice = scheduled(facility, await _body(request), self._now(facility).date())
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
        return self._envelope(200, "Ok", answer)

    async def _take(self, facility: Facility, request: web.Request) -> web.Response:
        body = await _body(request)
        check_person(body)
        now = self._now(facility)
        clinic, day, practice = scheduled(facility, body, now.date())
        if day > now.date() + timedelta(days=facility.window_days):
            raise Refused(f"Tanggal Periksa Maksimal {facility.window_days} Hari Ke Depan")
        if day == now.date() and now.time() >= practice.ends:
            raise Refused(f"Pendaftaran ke {clinic.name} Sudah Tutup Jam {practice.ends:%H:%M}")
        check_visit(body)
        if not self._knows(facility, body["nik"]):
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
        return self._envelope(200, "Ok", self._taken(facility, clinic, practice, ticket))

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
        zone = ZoneInfo(self._zone(facility))
        begins = datetime.combine(date.fromisoformat(ticket.day), practice.begins, zone)
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
        _, ticket = self._office.booked(facility.id, (await _body(request))["kodebooking"])
        if ticket.state == "served":
            raise Refused("Pasien Sudah Dilayani")
        clinic = facility.clinic(ticket.clinic)
        practice = next((one for one in clinic.practices if one.doctor == ticket.doctor), None) if clinic else None
        tickets = self._office.queue(*ticket.queue)
        left = left_before(tickets, ticket)
        answer = {
            "nomorantrean": ticket.number,
            "namapoli": clinic.name if clinic else "",
            "namadokter": practice.name if practice else "",
            "sisaantrean": left,
            "antreanpanggil": called_last(tickets),
            "waktutunggu": max(left - 1, 0) * 60 * (clinic.minutes if clinic else 0),
            "keterangan": "",
        }
        return self._envelope(200, "Ok", answer)

    async def _cancel(self, facility: Facility, request: web.Request) -> web.Response:
        body = await _body(request)
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
        return self._envelope(200, "Ok")

    async def _check_in(self, facility: Facility, request: web.Request) -> web.Response:
        body = await _body(request)
        place, ticket = self._office.booked(facility.id, body["kodebooking"])
        if not re.fullmatch(r"[0-9]{13}", body["waktu"]):
            raise Refused("Waktu Tidak Sesuai")
        if ticket.checked_in:
            raise Refused("Anda Sudah Melakukan Checkin")
        data = {"facility": facility.id, "number": ticket.number, "place": place}
        self.ledger.record("check_in", request.headers.get("X-Reference", ""), data)
        return self._envelope(200, "Ok")

    async def _register(self, facility: Facility, request: web.Request) -> web.Response:
        body = await _body(request)
        for field in (
            "nik",
            "nomorkk",
            "nama",
            "jeniskelamin",
            "tanggallahir",
            "nohp",
            "alamat",
            "kodeprop",
            "rw",
            "rt",
        ):
            if not body[field]:
                raise Refused(f"{field} Belum Diisi")
        if len(body["nik"]) != 16:
            raise Refused("Format NIK Tidak Sesuai")
        if self._knows(facility, body["nik"]):
            raise Refused("Data Peserta Sudah Pernah Dientrikan")
        number = f"90-{len(self._office.record_numbers) + 1:02d}-01"
        data = {"facility": facility.id, "patient": body, "norm": number}
        self.ledger.record("register", request.headers.get("X-Reference", ""), data)
        return self._envelope(200, "Harap datang ke admisi untuk melengkapi data rekam medis", {"norm": number})

    def _knows(self, facility: Facility, nik: str) -> bool:
        if (facility.id, nik) in self._office.record_numbers:
            return True
        return self.quirk["patients"] == "most_known" and nik not in self._office.strangers

    def _now(self, facility: Facility) -> datetime:
        return datetime.now(ZoneInfo(self._zone(facility)))

    def _zone(self, facility: Facility) -> str:
        return facility.zone if self.quirk["zone"] == "own" else self.quirk["zone"]

    def _envelope(self, code: int, message: str, response: Mapping[str, object] | None = None) -> web.Response:
        head = {"message": message, "code": str(code) if self.quirk["code"] == "text" else code}
        answer: dict[str, object] = {self.quirk["envelope"]: head}
        if response is not None:
            as_text = self.quirk["numbers"] == "text"
            answer["response"] = {
                name: str(value) if as_text and name in _COUNTS else value for name, value in response.items()
            }
        before = _WARNING if self.quirk["before"] == "warnings" else ""
        status = code if self.quirk["http"] == "mirrored" else 200
        body = before.encode() + msgspec.json.encode(answer)
        return web.Response(status=status, body=body, content_type="text/html" if before else "application/json")


def _estimate(at: datetime, way: str) -> dict[str, object]:
    """When the ticket may be served: milliseconds since 1970, or the hospital's own time without its zone."""
    milliseconds = int(at.timestamp() * 1000)
    ways: Mapping[str, object] = {"number": milliseconds, "text": str(milliseconds), "local": f"{at:%Y-%m-%d %H:%M:%S}"}
    return {"estimasidilayani": ways[way]} if way in ways else {}


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
