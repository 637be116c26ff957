"""VClaim's lookup of a participant over a pretended register: it checks signatures, and seals its answers."""

import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import ClassVar

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Ledger, Route, Sandbox
from integrations.bpjs_vclaim.sealing import Account, seal, sealing_key, signature

ACCOUNT = Account("10771", "demo-vclaim-secret", "demo-vclaim-user-key")
CLOCK_TOLERANCE_S = 300
LAST_DAY = "2199-12-31"


class Member(msgspec.Struct, frozen=True, rename={"care_class": "class"}):
    """One member as sandbox.toml has them. Code and words of class, kind and facility are the register's own."""

    nik: str
    card: str
    name: str
    sex: str
    born: str
    care_class: Mapping[str, str]
    kind: Mapping[str, str]
    facility: Mapping[str, str]
    since: str
    status: str


class Register(msgspec.Struct, frozen=True):
    """sandbox.toml."""

    members: Sequence[Member]
    statuses: Mapping[str, Mapping[str, str]]


REGISTER = msgspec.toml.decode(Path(__file__).with_name("sandbox.toml").read_bytes(), type=Register)


class VclaimSandbox(Sandbox):
    """A lookup changes nothing; a member's status changes by `work`, from the status it has to the next, or to a named
    one. The reference is the card's number or the NIK."""

    name: ClassVar[str] = "bpjs_vclaim"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        "envelope": ("metaData", "metadata"),
        "codes": ("text", "number"),
        "http_status": ("always_200", "mirrors_code"),
        "response": ("sealed", "plain"),
        "nik": ("text", "number", "null"),
        "unknown": ("code_201", "code_404", "null_participant"),
        "gaps": ("none", "no_facility", "no_class", "no_status", "broken_dates"),
    }
    clock_ahead_s: ClassVar[int] = 0

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._statuses: dict[str, str] = {}

    def routes(self) -> Sequence[Route]:
        return [Route("participant", "GET", "/Peserta/nik/{nik}/tglSEP/{day}", self._participant)]

    def apply(self, effect: Effect) -> None:
        self._statuses[effect.reference] = str(effect.data["status"])

    def clear(self) -> None:
        self._statuses.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        order = list(REGISTER.statuses)
        if step is not None and step not in order:
            raise ValueError(f"no step {step!r}: {', '.join(order)}")
        chosen = [member for member in REGISTER.members if reference in (None, member.card, member.nik)]
        if not chosen:
            raise KeyError(reference)
        for member in chosen:
            following = order[(order.index(self._status(member)) + 1) % len(order)]
            self.ledger.record("work", member.card, {"status": step or following})
        return [member.card for member in chosen]

    def refuse_auth(self) -> web.Response:
        return self._refused("401", "Unauthorized! You are not service user.")

    async def _participant(self, request: web.Request) -> web.Response:
        timestamp = request.headers.get("X-timestamp", "")
        if refusal := self._refusal(request, timestamp):
            return self._refused("401", refusal)
        nik, day = request.match_info["nik"], request.match_info["day"]
        if len(nik) != 16 or not nik.isdecimal():
            return self._refused("201", "NIK Tidak Sesuai")
        if not _is_day(day):
            return self._refused("201", "Format Tanggal Tidak Sesuai. Format : yyyy-MM-dd")
        member = next((member for member in REGISTER.members if member.nik == nik), None)
        if member is None and self.quirk["unknown"].startswith("code_"):
            return self._refused(self.quirk["unknown"].removeprefix("code_"), "Peserta Tidak Terdaftar")
        content = msgspec.json.encode({"peserta": member and self._shown(member)})
        if self.quirk["response"] == "plain":
            return self._answer("200", "OK", msgspec.Raw(content))
        return self._answer("200", "OK", seal(content.decode(), sealing_key(ACCOUNT, timestamp)))

    def _refusal(self, request: web.Request, timestamp: str) -> str:
        """Why a request is not BPJS's own customer's, "" where it is."""
        if not hmac.compare_digest(request.headers.get("user_key", "").encode(), ACCOUNT.user_key.encode()):
            return "Authentication failed: user_key"
        if request.headers.get("X-cons-id") != ACCOUNT.cons_id:
            return "Cons ID Tidak Terdaftar"
        if not timestamp.isdecimal() or len(timestamp) > 12:
            return "Invalid Timestamp"
        if abs(int(timestamp) - self.clock_ahead_s - time.time()) > CLOCK_TOLERANCE_S:
            return "Service Timestamp Is Expired"
        given = request.headers.get("X-signature", "").encode()
        return "" if hmac.compare_digest(given, signature(ACCOUNT, timestamp).encode()) else "Invalid Signature"

    def _answer(self, code: str, message: str, response: object) -> web.Response:
        told = {"code": int(code) if self.quirk["codes"] == "number" else code, "message": message}
        body = msgspec.json.encode({self.quirk["envelope"]: told, "response": response})
        status = int(code) if self.quirk["http_status"] == "mirrors_code" else 200
        return web.Response(body=body, status=status, content_type="application/json")

    def _refused(self, code: str, message: str) -> web.Response:
        return self._answer(code, message, None)

    def _status(self, member: Member) -> str:
        return self._statuses.get(member.card, member.status)

    def _shown(self, member: Member) -> Mapping[str, object]:
        """An entry in the register's own fields, with the gaps that are switched on."""
        gap = self.quirk["gaps"]
        nobody = {"kdProvider": None, "nmProvider": None}
        return {
            "noKartu": member.card,
            "nik": {"text": member.nik, "number": int(member.nik), "null": None}[self.quirk["nik"]],
            "nama": member.name,
            "pisa": "1",
            "sex": member.sex,
            "tglLahir": "0000-00-00" if gap == "broken_dates" else member.born,
            "tglCetakKartu": member.since,
            "tglTMT": member.since,
            "tglTAT": "31 Desember" if gap == "broken_dates" else LAST_DAY,
            "statusPeserta": None if gap == "no_status" else self._worded(REGISTER.statuses[self._status(member)]),
            "hakKelas": None if gap == "no_class" else self._worded(member.care_class),
            "jenisPeserta": self._worded(member.kind),
            "provUmum": nobody if gap == "no_facility" else member.facility,
            "mr": {"noMR": None, "noTelepon": None},
            "cob": {"nmAsuransi": None, "noAsuransi": None, "tglTAT": None, "tglTMT": None},
            "informasi": {"dinsos": None, "noSKTM": None, "prolanisPRB": None},
            "umur": {"umurSekarang": None, "umurSaatPelayanan": None},
        }

    def _worded(self, entry: Mapping[str, str]) -> Mapping[str, object]:
        code = entry["kode"]
        return {"kode": int(code) if self.quirk["codes"] == "number" else code, "keterangan": entry["keterangan"]}


def _is_day(value: str) -> bool:
    try:
        return len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False
