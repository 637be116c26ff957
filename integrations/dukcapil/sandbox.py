"""Dukcapil's element comparison over a pretended register: HTTP 200 for everything, scores in the text."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from pathlib import Path
from typing import ClassVar

import msgspec
from aiohttp import web

from app.sandbox.port import Effect, Ledger, Route, Sandbox

USER_ID, PASSWORD, ADDRESS = "demo-dukcapil-user", "demo-dukcapil-password", "10.35.71.10"
# What the register answers instead of comparing, by its code.
REFUSALS = {
    "deceased": (11, "Data Ditemukan, Meninggal Dunia"),
    "double": (12, "Data Ganda"),
    "unknown": (13, "Data Tidak Ditemukan, NIK tidak terdapat di database Kependudukan"),
    "inactive": (14, "Data Ditemukan, Status Non Aktif silahkan hubungi Dinas Dukcapil"),
    "malformed": (15, "NIK tidak sesuai format Dukcapil"),
}
STATUSES = ("active", "deceased", "double", "inactive")


class Entry(msgspec.Struct, frozen=True):
    """One entry as sandbox.toml has it."""

    nik: str
    name: str
    born: str
    status: str = "active"


class Register(msgspec.Struct, frozen=True):
    """sandbox.toml."""

    entries: Sequence[Entry]


REGISTER = msgspec.toml.decode(Path(__file__).with_name("sandbox.toml").read_bytes(), type=Register)


class DukcapilSandbox(Sandbox):
    """A comparison changes nothing; an entry's status changes by `work`, to the next or to a named one."""

    name: ClassVar[str] = "dukcapil"
    quirks: ClassVar[Mapping[str, Sequence[str]]] = {
        "access": ("granted", "quota_spent", "address_refused", "login_refused"),
        "keys": ("upper", "lower"),
        "codes": ("text", "number", "words_only"),
        "nik": ("number", "text", "verdict", "absent"),
        "scores": ("scored", "plain", "decimal"),
        "dates": ("both", "dmy_only"),
    }
    hopeless: ClassVar[Sequence[tuple[str, str]]] = (
        ("access", "quota_spent"),
        ("access", "address_refused"),
        ("access", "login_refused"),
    )

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._statuses: dict[str, str] = {}

    def routes(self) -> Sequence[Route]:
        below = "/dukcapil/get_json"
        return [
            Route("compare", "POST", f"{below}/{{region}}/{{institution}}/CALL_VERIFY_BY_ELEMEN", self._compare),
            Route("compare", "POST", f"{below}/{{customer}}/CALL_VERIFY_BY_ELEMEN", self._compare),
        ]

    def apply(self, effect: Effect) -> None:
        self._statuses[effect.reference] = str(effect.data["status"])

    def clear(self) -> None:
        self._statuses.clear()

    def work(self, reference: str | None, step: str | None) -> Sequence[str]:
        if step is not None and step not in STATUSES:
            raise ValueError(f"no step {step!r}: {', '.join(STATUSES)}")
        chosen = [entry for entry in REGISTER.entries if reference in (None, entry.nik)]
        if not chosen:
            raise KeyError(reference)
        for entry in chosen:
            following = STATUSES[(STATUSES.index(self._status(entry)) + 1) % len(STATUSES)]
            self.ledger.record("work", entry.nik, {"status": step or following})
        return [entry.nik for entry in chosen]

    def refuse_auth(self) -> web.Response:
        return self._answer({"RESPON": "Login Gagal"})

    async def _compare(self, request: web.Request) -> web.Response:
        try:
            asked = {
                k.upper(): str(v) for k, v in msgspec.json.decode(await request.read(), type=dict[str, object]).items()
            }
        except (msgspec.DecodeError, UnicodeDecodeError):
            return web.Response(status=500, text="org.springframework.http.converter.HttpMessageNotReadableException")
        if refusal := self._refusal(asked):
            return self._answer({"RESPON": refusal})
        nik = asked.get("NIK", "")
        if len(nik) != 16 or not nik.isdecimal():
            return self._refused("malformed")
        entry = next((entry for entry in REGISTER.entries if entry.nik == nik), None)
        standing = self._status(entry) if entry else "unknown"
        if entry is None or standing != "active":
            return self._refused(standing)
        return self._answer(self._verdicts(entry, asked))

    def _refusal(self, asked: Mapping[str, str]) -> str:
        """What is wrong with us, "" where nothing is."""
        access = self.quirk["access"]
        if (asked.get("USER_ID"), asked.get("PASSWORD")) != (USER_ID, PASSWORD) or access == "login_refused":
            return "Login Gagal"
        if asked.get("IP_USER") != ADDRESS or access == "address_refused":
            return "IP Client  Tidak terdaftar"
        return "Kuota Akses Hari ini telah Habis" if access == "quota_spent" else ""

    def _verdicts(self, entry: Entry, asked: Mapping[str, str]) -> dict[str, object]:
        """Each element that was asked of, and no word of the entry's own."""
        told: dict[str, object] = {}
        shown = {"number": int(entry.nik), "text": entry.nik, "verdict": "Sesuai"}
        if self.quirk["nik"] != "absent":
            told["NIK"] = shown[self.quirk["nik"]]
        if "NAMA_LGKP" in asked:
            score = round(100 * SequenceMatcher(None, asked["NAMA_LGKP"], entry.name, autojunk=False).ratio())
            told["NAMA_LGKP"] = self._scored(score, int(asked.get("TRESHOLD", "100")))
        if "TGL_LHR" in asked:
            forms = ("%d-%m-%Y",) if self.quirk["dates"] == "dmy_only" else ("%d-%m-%Y", "%Y-%m-%d")
            told["TGL_LHR"] = "Sesuai" if entry.born in _days(asked["TGL_LHR"], forms) else "Tidak Sesuai"
        return told

    def _scored(self, score: int, threshold: int) -> str:
        verdict = "Sesuai" if score >= threshold else "Tidak Sesuai"
        shown = {"plain": "", "decimal": f" ({score}.00)"}.get(self.quirk["scores"], f" ({score})")
        return verdict + shown

    def _refused(self, standing: str) -> web.Response:
        code, words = REFUSALS[standing]
        match self.quirk["codes"]:
            case "words_only":
                return self._answer({"RESPON": words})
            case "number":
                return self._answer({"RESPONSE_CODE": code, "RESPONSE": words})
        return self._answer({"RESPONSE_CODE": str(code), "RESPONSE": words})

    def _answer(self, row: Mapping[str, object]) -> web.Response:
        """The envelope of a page of results, which a single answer comes in as well."""
        told = {key.lower() if self.quirk["keys"] == "lower" else key: value for key, value in row.items()}
        page = {"lastPage": True, "numberOfElements": 1, "sort": None, "totalElements": 1, "firstPage": True}
        return web.json_response({"content": [told], **page, "number": 0, "size": 1})

    def _status(self, entry: Entry) -> str:
        return self._statuses.get(entry.nik, entry.status)


def _days(written: str, forms: Sequence[str]) -> set[str]:
    """The days that a text may mean, as ISO."""
    days = set()
    for form in forms:
        try:
            days.add(datetime.strptime(written, form).date().isoformat())  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    return days
