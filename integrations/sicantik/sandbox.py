"""SICANTIK's wire protocol with its habits, over a pretended permit office.

Its `work` knows each step of the procedure, "reject", and "collide": a stranger at the counter is registered at the
same moment, and gets the same number.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Ledger, Route, Sandbox
from integrations.sicantik.office import (
    COLLECT_STEP,
    IN_PROCESS,
    ISSUED_STEP,
    REJECTED_STEP,
    Named,
    Office,
    Registration,
)
from integrations.sicantik.sandbox_sent import accepts, sent

API = "/backoffice/api"
WARN_EVERY = 3
_WARNING = (
    "<br />\n<b>Warning</b>:  {what} in <b>/var/www/html/backoffice/www/modules/api/controllers/api.php</b> "
    "on line <b>{line}</b><br />\n"
)
_NO_DATA = {"error": "Tidak ada data.."}
_FAILED = {"status": "failed", "success": False, "no_pendaftaran": " "}
_SQL_ERROR = "<html><head><title>Database Error</title></head><body><h1>A Database Error Occurred</h1></body></html>"


class SicantikSandbox(Sandbox):
    """Answers as a backoffice installed by a city does."""

    name = "sicantik"
    # Deployed copies differ: in some the list joins a table that only an officer fills, and lacks what came in online.
    lists_provisional: ClassVar[bool] = True

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._office = Office()
        self._answers = 0

    def routes(self) -> Sequence[Route]:
        def get(operation: str, address: str, handler: Callable[[web.Request], Awaitable[web.Response]]) -> Route:
            return Route(operation, "GET", f"{API}/{address}", handler)

        return [
            Route("register", "POST", f"{API}/pendaftaran", self._register),
            get("registration", "permohonan", self._registration),
            get("track", "permohonan2", self._track),
            get("registrations", "listpermohonan", self._list_all),
            get("issued", "listpermohonanterbit", self._paged(lambda one: bool(one.licence_number), licence=True)),
            get("registrations", "listpermohonanproses", self._paged(lambda one: one.steps[-1] in IN_PROCESS)),
            get("registrations", "listpermohonanambil", self._paged(lambda one: one.steps[-1] == COLLECT_STEP)),
            get("registrations", "listtolak", self._paged(lambda one: one.steps[-1] == REJECTED_STEP)),
            get("prove", "cekperizinan", self._prove),
            get("permit_types", "jenisperizinanlist", self._permit_types),
            get("kinds", "jenispermohonanlist", self._kinds),
            get("requirements", "syaratperizinan", self._requirements),
            get("requirements", "dasarhukum", self._legal_basis),
            get("requirements", "nilairetribusi", self._levy),
            *(
                get("regions", address, self._regions)
                for address in ("propinsi", "kabupaten", "kecamatan", "kelurahan")
            ),
        ]

    def apply(self, effect: Effect) -> None:
        if "form" in effect.data:
            self._office.enter(effect.data)
        else:
            self._office.move(effect.data)

    def clear(self) -> None:
        self._office.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        moved = []
        for one in self._office.matters(reference):
            if step == "collide":
                self.ledger.record("work", "", self._office.twin_of(one))
                moved.append(one.number)
                continue
            steps = self._office.next_steps(one, step)
            if not steps:
                continue
            data: dict[str, object] = {"id": one.id, "no_pendaftaran": one.number, "steps": steps}
            if ISSUED_STEP in steps:
                data["licence"] = self._office.licence_of(one)
            self.ledger.record("work", one.form.get("no_refer", ""), data)
            moved.append(one.number)
        return moved

    async def _register(self, request: web.Request) -> web.Response:
        form, requirements, file = await sent(request)
        permit, kind = form.get("jenis_izin_id", ""), form.get("jenis_permohonan_id", "")
        if permit not in self._office.permits or kind not in self._office.kinds or not form.get("nama_pemohon"):
            return self._answer(_FAILED)
        data = self._office.numbered(permit, kind)
        taken = accepts(file)
        self.ledger.record(
            "register",
            form.get("no_refer", ""),
            {
                **data,
                "form": form,
                "pemohon_syarat": requirements,
                "file": {"name": file.name, "bytes": len(file.content), "kept": taken} if file else None,
            },
        )
        answer = {"status": "success", "success": True, "no_pendaftaran": data["no_pendaftaran"]}
        if not requirements:
            return self._answer(answer, warning="count(): Parameter must be an array or an object")
        return self._answer(answer)

    async def _registration(self, request: web.Request) -> web.Response:
        number = _parameter(request, "pendaftaran")
        rows = [
            {
                "id": str(one.id),
                "no_pendaftaran": one.number,
                "nama": one.form.get("nama_pemohon", ""),
                "telp": one.form.get("no_telp", ""),
                "alamat": one.form.get("alamat_pemohon", ""),
                "permohonan": one.permit.name,
                "tracking": self._office.step_names[one.steps[-1]],
            }
            for one in self._office.bearing(number)
        ]
        return self._rows(rows)

    async def _track(self, request: web.Request) -> web.Response:
        number = _parameter(request, "pendaftaran").strip()
        rows: list[dict[str, object]] = []
        for one in self._office.bearing(number):
            track = [self._track_row(one, step) for step in (*one.steps, *self._office.to_come(one))]
            track[len(one.steps) - 1]["current"] = 1
            rows += track
        if not rows:
            return self._answer(_NO_DATA, status=404, warning="Undefined offset: -1")
        return self._answer(rows)

    async def _list_all(self, request: web.Request) -> web.Response:
        listed = self._office.newest_first(
            lambda one: not one.licence_number and (self.lists_provisional or not one.provisional)
        )
        return self._page(listed, 0, _number(_parameter(request, "limit")))

    def _paged(
        self, wanted: Callable[[Registration], bool], *, licence: bool = False
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            limit, offset = _number(_parameter(request, "limit")), _number(_parameter(request, "offset"))
            return self._page(self._office.newest_first(wanted), offset, limit, licence=licence)

        return answer

    async def _prove(self, request: web.Request) -> web.Response:
        encoded = _parameter(request, "no_izin")
        try:
            number = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            number = ""
        one = self._office.licensed(number)
        return self._answer(
            [_licence_row(one)] if one else {"error": "No Izin tidak Terdaftar!"}, status=200 if one else 404
        )

    async def _permit_types(self, _request: web.Request) -> web.Response:
        permits = sorted(self._office.tables.permits, key=lambda permit: permit.name)
        return self._rows(
            [
                {"id": one.id, "jenis_perizinan": one.name, "kelompok_izin": one.group, "v_hari": one.days}
                for one in permits
            ]
        )

    async def _kinds(self, _request: web.Request) -> web.Response:
        return self._rows(_named(self._office.tables.kinds, "jenis_permohonan"))

    async def _requirements(self, request: web.Request) -> web.Response:
        permit = self._office.permits.get(_parameter(request, "perizinan"))
        return self._rows(_named(permit.requirements if permit else [], "syarat_perizinan"), nothing=None)

    async def _legal_basis(self, request: web.Request) -> web.Response:
        permit = self._office.permits.get(_parameter(request, "perizinan"))
        return self._rows(_named(permit.legal_basis if permit else [], "dasar hukum"), nothing=None)

    async def _levy(self, request: web.Request) -> web.Response:
        permit = self._office.permits.get(_parameter(request, "perizinan"))
        return self._answer(
            [{"nama_perizinan": permit.name if permit else None, "retribusi": permit.levy if permit else None}]
        )

    async def _regions(self, request: web.Request) -> web.Response:
        districts = self._office.tables.districts
        level = request.path.rsplit("/", 1)[1]
        if level == "propinsi":
            found = [district.province for district in districts]
        elif level == "kabupaten":
            province = _parameter(request, "id_prop")
            found = [district.city for district in districts if district.province.id == province]
        elif level == "kecamatan":
            city = _parameter(request, "id_kab")
            found = [Named(district.id, district.name) for district in districts if district.city.id == city]
        else:
            wanted = _parameter(request, "id_kec")
            found = [village for district in districts if district.id == wanted for village in district.villages]
        distinct = sorted(set(found), key=lambda region: region.name)
        return self._rows(_named(distinct, f"nama_{level}"), nothing=None)

    def _track_row(self, one: Registration, step: str) -> dict[str, object]:
        return {
            "pendaftaran_id": one.number,
            "n_pemohon": one.form.get("nama_pemohon", ""),
            "a_pemohon": one.form.get("alamat_pemohon", ""),
            "telp_pemohon": one.form.get("no_telp", ""),
            "n_sts_permohonan": self._office.step_names[step],
            "n_perizinan": one.permit.name,
            "trstspermohonan_id": step,
        }

    def _page(self, found: Sequence[Registration], offset: int, limit: int, *, licence: bool = False) -> web.Response:
        total = str(len(found))
        rows = []
        for one in found[offset : offset + limit]:
            row = {"pendaftaran_id": one.number, "n_pemohon": one.form["nama_pemohon"], "n_perizinan": one.permit.name}
            rows.append(row | ({"no_surat": one.licence_number} if licence else {}) | {"num_rows": total})
        return self._rows(rows)

    def _rows(self, rows: Sequence[object], nothing: object = _NO_DATA) -> web.Response:
        """A list; an empty one is a 404, for some addresses with words, for others with no body at all."""
        if rows:
            return self._answer(rows)
        return web.Response(status=404) if nothing is None else self._answer(nothing, status=404)

    def _answer(self, value: object, *, status: int = 200, warning: str = "") -> web.Response:
        """JSON, now and then with one of PHP's warnings in front of it."""
        self._answers += 1
        if not warning and self._answers % WARN_EVERY == 0:
            warning = "Invalid argument supplied for foreach()"
        head = _WARNING.format(what=warning, line=400 + self._answers % 90) if warning else ""
        body = head.encode() + msgspec.json.encode(value)
        return web.Response(status=status, body=body, content_type="application/json")


def _parameter(request: web.Request, name: str) -> str:
    """A parameter as PHP's `!` sees it: "0" is missing. A missing one is answered 400 with an empty body."""
    value = request.query.get(name, "")
    if value in ("", "0"):
        raise web.HTTPBadRequest(text="")
    return value


def _number(value: str) -> int:
    if not value.isdecimal():
        raise web.HTTPInternalServerError(text=_SQL_ERROR, content_type="text/html")
    return int(value)


def _named(entries: Sequence[Named], key: str) -> list[Mapping[str, str]]:
    return [{"id": entry.id, key: entry.name} for entry in entries]


def _licence_row(one: Registration) -> dict[str, str]:
    return {
        "pendaftaran_id": one.number,
        "n_pemohon": one.form.get("nama_pemohon", ""),
        "n_perizinan": one.permit.name,
        "no_surat": one.licence_number,
        "d_terima_berkas": one.received,
        "d_berlaku_izin": one.valid_until,
        "a_pemohon": one.form.get("alamat_pemohon", ""),
        "telp_pemohon": one.form.get("no_telp", ""),
        "tgl_surat": one.licence_date,
        "n_perusahaan": one.form.get("nama_perusahaan", ""),
        "npwp": one.form.get("npwp", ""),
        "a_perusahaan": one.form.get("alamat_usaha", ""),
    }
