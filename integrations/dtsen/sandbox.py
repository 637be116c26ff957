"""The social agency's service behind a pretended bus, with both their habits. The switches are in `quirks`.

`work` moves one matter on, or all, by one step or to one: "receive", "visit" (planned), "visited", "missed", "ask",
"accept", "reject". {"reference": "10000", "step": "import"}: a new extract arrives, with so many households.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, cast

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Handler, Ledger, Route, Sandbox
from integrations.dtsen.households import MANY, START, Household
from integrations.dtsen.office import STEPS, TRACKS, Kind, Matter, Office, local_now, payments
from integrations.dtsen.sandbox_bus import BUS_HOPELESS, BUS_QUIRKS, PretendedBus

MAX_PHOTOS, MAX_PHOTO_BYTES = 5, 5 * 1024 * 1024
_NUMBERS = {"nominal", "desil_nasional", "desil", "desil_min", "desil_max"}
_NIK = re.compile(r"[0-9]{6}([0-9]{6})[0-9]{4}")
_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_DISPOSITION = re.compile(rb'name="([^"]*)"(?:; filename="([^"]*)")?')
_WARNING = b"<br />\n<b>Deprecated</b>:  Creation of dynamic property in <b>/var/www/dtsen/app/Api.php</b><br />\n"

Answer = Callable[[web.Request], Awaitable[web.Response]]


class Refused(Exception):
    """The service's own refusal: a status, its code, its words, and what goes with them."""

    def __init__(self, status: int, code: str, words: str, data: object = None) -> None:
        super().__init__(words)
        self.status, self.code, self.data = status, code, data


class DtsenSandbox(Sandbox):
    """Answers as the bus and, where that lets a call through, the agency."""

    name: ClassVar[str] = "dtsen"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        **BUS_QUIRKS,
        "absent": ("404", "empty"),
        "references": ("refused_twice", "answered_again"),
        "open_matters": ("any_number", "one"),
        "spelling": ("tidy", "untidy", "numbers"),
    }
    hopeless: ClassVar[Sequence[tuple[str, str]]] = BUS_HOPELESS

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._office = Office()
        self._bus = PretendedBus()

    def routes(self) -> Sequence[Route]:
        def route(operation: str, method: str, path: str, answer: Answer) -> Route:
            return Route(operation, method, "/t/{tenant}/{api}/{version}" + path, self._through_the_bus(answer))

        return [
            Route("token", "POST", "/oauth2/token", self._bus.token),
            route("programmes", "GET", "/program", self._programmes),
            route("household", "POST", "/keluarga/cari", self._household),
            route("submit", "POST", "/pengajuan", self._submit),
            route("find", "POST", "/pengajuan/cari", self._find),
            route("matter", "GET", "/pengajuan/{number}", self._matter),
            route("answer", "POST", "/pengajuan/{number}/jawaban", self._answer),
            route("withdraw", "POST", "/pengajuan/{number}/batal", self._withdraw),
            route("certificate", "POST", "/surat-keterangan/cek", self._certificate),
        ]

    def apply(self, effect: Effect) -> None:
        data = effect.data
        if effect.operation == "submit":
            self._office.enter(msgspec.convert(data["matter"], Matter))
            return
        if "households" in data:
            self._office.resize(int(str(data["households"])))
            return
        matter = self._office.matter(str(data["number"]))
        if effect.operation == "work":
            self._office.move(matter, str(data["step"]), datetime.fromisoformat(str(data["at"])))
        elif effect.operation == "withdraw":
            matter.withdrawn = True
        else:
            matter.question = ""

    def clear(self) -> None:
        self._office.clear()
        self._bus.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        if step == "import":
            return self._import(reference or "")
        if step not in (None, *STEPS):
            raise ValueError(f"no step {step!r}: {', '.join(STEPS)}, import")
        every = list(self._office.matters.values())
        chosen = [each for each in every if each.is_open] if reference is None else [self._office.matter(reference)]
        for matter in chosen:
            data = {"number": matter.number, "step": step or self._office.next_step(matter), "at": str(local_now())}
            self.ledger.record("work", matter.reference, data)
        return [matter.number for matter in chosen]

    def _import(self, count: str) -> Sequence[str]:
        if not (count.isdecimal() and 0 < int(count) <= MANY):
            raise ValueError(f"an extract has 1 to {MANY} households")
        self.ledger.record("work", "", {"households": int(count)})
        return []

    def refuse_auth(self) -> web.Response:
        return self._bus.refuse_auth(self.quirk["faults"])

    def _through_the_bus(self, answer: Answer) -> Handler:
        """The bus first, then the service itself."""

        async def handle(request: web.Request) -> web.StreamResponse:
            stopped = self._bus.stop(request, self.quirk)
            if stopped is not None:
                return stopped
            try:
                return await answer(request)
            except Refused as refused:
                told = {"sukses": False, "kode": refused.code, "pesan": str(refused), "data": refused.data}
                return self._written(told, refused.status)

        return handle

    async def _programmes(self, _request: web.Request) -> web.Response:
        rows = [
            {
                "kode": each.code,
                "nama": each.name,
                "jenis": each.kind,
                "penyelenggara": each.owner,
                "uraian": each.about,
                "syarat": each.eligibility,
                "dasar_hukum": each.legal_basis,
                "desil_min": each.deciles[0],
                "desil_max": each.deciles[1],
            }
            for each in START.programmes
        ]
        return self._told(rows)

    async def _household(self, request: web.Request) -> web.Response:
        asked = await _fields(request)
        nik, family_card = str(asked.get("nik", "")), str(asked.get("no_kk", ""))
        if not _plausible(nik or family_card):
            raise Refused(422, "NIK_TIDAK_VALID", "NIK atau nomor kartu keluarga tidak sesuai format")
        found = self._office.household(nik=nik, family_card=family_card)
        if found is None and self.quirk["absent"] == "empty":
            return self._told(None)
        if found is None:
            raise Refused(404, "KELUARGA_TIDAK_DITEMUKAN", "Keluarga tidak terdapat dalam data")
        return self._told(self._household_row(found))

    async def _submit(self, request: web.Request) -> web.Response:
        sent, pictures = await _handed_in(request)
        reference = str(sent.get("referensi", ""))
        known = self._office.references.get(reference)
        if known is not None and self.quirk["references"] == "refused_twice":
            raise Refused(409, "REFERENSI_SUDAH_ADA", "Referensi sudah tercatat", {"nomor": known})
        if known is None:
            kind = self._checked(sent, pictures)
            known = self._office.next_number(kind, local_now().date())
            entered = Matter(known, reference, kind, {**sent, "ukuran_foto": pictures}, local_now())
            self.ledger.record("submit", reference, {"matter": msgspec.to_builtins(entered)})
        return self._told({"nomor": known, "referensi": reference, "tanggal_masuk": local_now()}, 201)

    def _checked(self, sent: Mapping[str, Any], pictures: Sequence[int]) -> Kind:
        """Raises Refused with what stands against taking it."""
        kind, nik = str(sent.get("jenis", "")), str(sent.get("nik_pemohon", ""))
        if not _plausible(nik):
            raise Refused(422, "NIK_TIDAK_VALID", "NIK pemohon tidak sesuai format")
        # A certificate is of the household as the register has it.
        wanted = (
            "referensi",
            "nama_pemohon",
            "telepon",
            *(() if kind == "KETERANGAN" else ("alamat", "kode_kelurahan")),
        )
        if kind not in TRACKS or not all(sent.get(field) for field in wanted):
            raise Refused(422, "DATA_TIDAK_LENGKAP", "Data pengajuan belum lengkap")
        if kind != "USUL" and self._office.household(nik=nik) is None:
            raise Refused(404, "KELUARGA_TIDAK_DITEMUKAN", "Keluarga tidak terdapat dalam data")
        if sent.get("kode_program") and self._office.programme(str(sent["kode_program"])) is None:
            raise Refused(422, "PROGRAM_TIDAK_DIKENAL", "Program tidak dikenal")
        if len(pictures) > MAX_PHOTOS or any(size > MAX_PHOTO_BYTES for size in pictures):
            raise Refused(422, "FOTO_DITOLAK", f"Paling banyak {MAX_PHOTOS} foto, masing-masing 5 MB")
        alike = (each for each in self._office.matters.values() if (each.kind, each.nik) == (kind, nik))
        if self.quirk["open_matters"] == "one" and any(each.is_open for each in alike):
            raise Refused(409, "MASIH_DIPROSES", "Pengajuan sebelumnya masih diproses")
        return cast("Kind", kind)

    async def _find(self, request: web.Request) -> web.Response:
        number = self._office.references.get(str((await _fields(request)).get("referensi", "")))
        if number is None and self.quirk["absent"] == "empty":
            return self._told(None)
        return self._told(self._matter_row(self._known(number or "")))

    async def _matter(self, request: web.Request) -> web.Response:
        return self._told(self._matter_row(self._known(request.match_info["number"])))

    async def _answer(self, request: web.Request) -> web.Response:
        matter, asked = self._known(request.match_info["number"]), await _fields(request)
        self.ledger.record("answer", matter.number, {"number": matter.number, "jawaban": asked.get("jawaban", "")})
        return self._told({"nomor": matter.number})

    async def _withdraw(self, request: web.Request) -> web.Response:
        matter, asked = self._known(request.match_info["number"]), await _fields(request)
        if matter.outcome is not None:
            raise Refused(409, "SUDAH_DIPUTUS", "Pengajuan sudah diputus")
        if not matter.withdrawn:
            self.ledger.record("withdraw", matter.number, {"number": matter.number, "alasan": asked.get("alasan", "")})
        return self._told({"nomor": matter.number})

    async def _certificate(self, request: web.Request) -> web.Response:
        matter = self._office.letters.get(str((await _fields(request)).get("nomor", "")))
        if matter is None and self.quirk["absent"] == "empty":
            return self._told(None)
        if matter is None or matter.letter is None:
            raise Refused(404, "SURAT_TIDAK_DITEMUKAN", "Surat keterangan tidak ditemukan")
        return self._told({**matter.letter, "penerbit": START.office})

    def _known(self, number: str) -> Matter:
        """By the agency's own number. Raises Refused."""
        matter = self._office.matters.get(number)
        if matter is None:
            raise Refused(404, "PENGAJUAN_TIDAK_DITEMUKAN", "Pengajuan tidak ditemukan")
        return matter

    def _household_row(self, household: Household) -> dict[str, object]:
        village = household.village_code
        group = self.quirk["spelling"] == "untidy"
        decile: object = household.decile
        if decile is None:
            decile = "BELUM DITENTUKAN"
        elif group:
            decile = f"DESIL_{household.decile}" if (household.decile or 0) <= 5 else "DESIL_6_10"
        return {
            "id_keluarga": household.id,
            "no_kk": household.family_card,
            "alamat": household.address,
            "rt": household.rt,
            "rw": household.rw,
            "kode_kelurahan": village,
            "kelurahan": START.village(village),
            "desil_nasional": decile,
            "tanggal_data": local_now().date().replace(day=1),
            "anggota": [
                {
                    "nik": each.nik,
                    "nama": each.name,
                    "tanggal_lahir": each.born,
                    "jenis_kelamin": each.sex,
                    "hubungan": each.relation,
                }
                for each in household.members
            ],
            "bantuan": list(payments(household, local_now().date())),
        }

    def _matter_row(self, matter: Matter) -> dict[str, object]:
        track = TRACKS[matter.kind]
        states = ["SELESAI" if at < matter.stage else "BELUM" for at in range(len(track))]
        if matter.is_open and matter.stage < len(track):
            states[matter.stage] = "BERJALAN"
        return {
            "nomor": matter.number,
            "referensi": matter.reference,
            "jenis": matter.kind,
            "tanggal_masuk": matter.entered,
            "dibatalkan": matter.withdrawn,
            "pertanyaan": matter.question,
            "tahapan": [
                {"kode": code, "nama": name, "status": states[at], "waktu": matter.times.get(at)}
                for at, (code, name) in enumerate(track)
            ],
            "kunjungan": matter.visit,
            "hasil": matter.outcome,
            "surat": matter.letter and {"nomor": matter.letter["nomor"]},
        }

    def _told(self, data: object, status: int = 200) -> web.Response:
        return self._written({"sukses": True, "kode": "OK", "pesan": "Berhasil", "data": data}, status)

    def _written(self, answer: Mapping[str, object], status: int) -> web.Response:
        """As this copy writes values and days; an untidy one with what PHP has to say before."""
        warned = self.quirk["spelling"] == "untidy"
        body = msgspec.json.encode(_spelt(answer, self.quirk["spelling"]))
        kind = "text/html" if warned else "application/json"
        return web.Response(status=status, body=(_WARNING if warned else b"") + body, content_type=kind)


def _spelt(value: object, way: str, name: str = "") -> object:
    """Untidy: counts as text, days as people write them. Numbers: a NIK is one."""
    if isinstance(value, dict):
        return {key: _spelt(each, way, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_spelt(each, way, name) for each in value]
    if isinstance(value, date):
        day = "%d-%m-%Y" if way == "untidy" else "%Y-%m-%d"
        return value.strftime(f"{day} %H:%M:%S" if isinstance(value, datetime) else day)
    if way == "untidy" and name in _NUMBERS and isinstance(value, int):
        return f"{value}.00" if name == "nominal" else str(value)
    if way == "numbers" and name in ("nik", "no_kk", "nik_penerima"):
        return int(str(value))
    return value


async def _fields(request: web.Request) -> dict[str, Any]:
    """A JSON body's fields. Raises Refused."""
    try:
        return msgspec.json.decode(await request.read(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(400, "FORMAT_SALAH", "Isi permintaan bukan JSON") from None


async def _handed_in(request: web.Request) -> tuple[dict[str, Any], list[int]]:
    """What is handed in, as JSON or as the part `data` beside pictures, and the pictures' sizes."""
    boundary = _BOUNDARY.search(request.headers.get("Content-Type", ""))
    if boundary is None:
        return await _fields(request), []
    sent: dict[str, Any] = {}
    sizes = []
    for part in (b"\r\n" + await request.read()).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        named = _DISPOSITION.search(head)
        if named and named[1] == b"foto":
            sizes.append(len(content))
        elif named and named[1] == b"data":
            sent = msgspec.json.decode(content, type=dict[str, Any])
    return sent, sizes


def _plausible(number: str) -> bool:
    """Sixteen digits with a day in them, as NIK and family cards have."""
    found = _NIK.fullmatch(number)
    if not found:
        return False
    day, month = int(found[1][:2]), int(found[1][2:4])
    return 1 <= day % 40 <= 31 and 1 <= month <= 12
