"""What the bus refuses with, in JSON or XML, and what each of its codes means for us; and the service's own codes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from xml.etree.ElementTree import Element

import msgspec

from app.agency_answers import for_officers, read_json, text, whole
from app.agency_xml import UnsafeXml, read_xml
from services.social_aid.port import Refusal

# What mends a fault: another token, an operator (ours or the bus's), patience. `unsure`: the agency may have heard it.
Meaning = Literal["token", "settings", "throttled", "not_reached", "unsure"]

LONGEST_WAIT_S = 3600.0
# What each code means, and its name among ours.
_FAULTS: Mapping[int, tuple[Meaning, str]] = {
    # 900901 is said of an expired token by newer buses, 900903 by older ones.
    **dict.fromkeys((900901, 900903, 900904), ("token", "token_refused")),
    404: ("settings", "tenant_unknown"),
    **dict.fromkeys((403, 405, 900906), ("settings", "resource_unknown")),
    **dict.fromkeys((700700, 900805, 900907), ("settings", "api_blocked")),
    900902: ("settings", "credentials_missing"),
    900905: ("settings", "token_kind_refused"),
    900908: ("settings", "not_subscribed"),
    900909: ("settings", "subscription_inactive"),
    900910: ("settings", "scope_missing"),
    **dict.fromkeys((900800, 900801, 900802, 900803, 900804, 900806, 900807), ("throttled", "throttled")),
    # It could not look the credentials up.
    900900: ("not_reached", "bus_failed"),
    # It got no connection to the agency, or has given up trying for a while.
    **dict.fromkeys((101503, 101508, 303001), ("not_reached", "agency_not_reached")),
}
_UNSURE: tuple[Meaning, str] = ("unsure", "bus_failed")
# The service's own codes of refusal, as the port's.
_REFUSALS: Mapping[str, Refusal] = {
    "NIK_TIDAK_VALID": "nik_invalid",
    "KELUARGA_TIDAK_DITEMUKAN": "household_unknown",
    "PROGRAM_TIDAK_DIKENAL": "programme_unknown",
    "MASIH_DIPROSES": "matter_open",
    "LEWAT_BATAS_SANGGAH": "too_late",
    "FOTO_DITOLAK": "photo_refused",
    "DATA_TIDAK_LENGKAP": "incomplete",
}
_UNKNOWN: Mapping[str, str] = {
    "PENGAJUAN_TIDAK_DITEMUKAN": "reference_unknown",
    "SURAT_TIDAK_DITEMUKAN": "certificate_unknown",
    "SUDAH_DIPUTUS": "decided",
}
# Said of what was looked for and is not there.
ABSENT = frozenset({"household_unknown", "reference_unknown", "certificate_unknown"})


class Fault(msgspec.Struct, frozen=True):
    """A fault page of the bus. `wait_s`: until when it says that it throttles, None where it does not."""

    code: int
    words: str
    wait_s: float | None = None

    @property
    def meaning(self) -> Meaning:
        return _FAULTS.get(self.code, _UNSURE)[0]

    @property
    def reason(self) -> str:
        return _FAULTS.get(self.code, _UNSURE)[1]


def read_fault(body: bytes) -> Fault | None:
    """The fault that a bus writes as JSON (bare, or inside `fault`) or as XML; None for anything else."""
    row = _of_xml(body) if body.lstrip()[:1] == b"<" else _of_json(body)
    code = whole(row.get("code"))
    if code is None or not text(row.get("message")):
        return None
    words = f"{text(row.get('message'))}; {text(row.get('description'))}"
    return Fault(code, for_officers(words), _wait_s(text(row.get("nextAccessTime"))))


def meaning_of(code: str) -> str:
    """What the service's code of refusal means, by the port's names."""
    return _REFUSALS.get(code) or _UNKNOWN.get(code, "refused")


def _of_json(body: bytes) -> Mapping[str, object]:
    answer = read_json(body)
    found = answer.get("fault", answer) if isinstance(answer, dict) else None
    return found if isinstance(found, dict) else {}


def _of_xml(body: bytes) -> Mapping[str, object]:
    """Only of a document without a type: what such a one could reach or grow to is not looked at."""
    try:
        root = read_xml(body.strip())
    except UnsafeXml:
        return {}
    return {_local(each): each.text or "" for each in root} if _local(root) == "fault" else {}


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _wait_s(written: str) -> float | None:
    """Seconds until `2026-Nov-22 10:15:00+0000 UTC`."""
    try:
        until = datetime.strptime(written.removesuffix("UTC").strip(), "%Y-%b-%d %H:%M:%S%z")
    except ValueError:
        return None
    return min(max((until - datetime.now(UTC)).total_seconds(), 1.0), LONGEST_WAIT_S)
