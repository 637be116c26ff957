"""A city's profile: names, region codes, agencies, and where its own systems are. One file of cities/ per city."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from app.catalog.facilities import Facility
from app.manifest import FolderName, Service, Slug
from app.personal import Retention
from app.settings import SettingsError
from app.texts import Text

CITIES = Path(__file__).parent / "cities"
_LINKS = "links"

T = TypeVar("T")

_DistrictCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}$")]
_VillageCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}$")]
_Url = Annotated[str, msgspec.Meta(pattern=r"^https://[a-z0-9.-]+(/.*)?$")]


class District(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kecamatan and its villages (kelurahan), by the last four digits of their codes."""

    code: _DistrictCode
    name: str
    villages: Mapping[_VillageCode, str]


class Agency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An OPD. `id` is ours, the same in every city; the name is the city's."""

    id: FolderName
    short_name: str
    name: Text


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where this city differs from links.toml for one service: its own system, another agency."""

    slug: Slug
    url: _Url | None = None
    agency: FolderName | None = None


class City(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """cities/<name>.toml."""

    name: str
    province: str
    region_code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{2}\.[0-9]{2}$")]
    time_zone: str
    website: _Url
    district: Sequence[District]
    agency: Sequence[Agency]
    link: Sequence[Link] = ()
    facility: Sequence[Facility] = ()
    retention: Retention = Retention()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def villages(self) -> dict[str, str]:
        """Every village's code and its name with its district, in the order of the codes."""
        return {
            f"{district.code}.{code}": f"{name} ({district.name})"
            for district in self.district
            for code, name in sorted(district.villages.items())
        }

    def options(self) -> dict[str, dict[str, str]]:
        """The choices that forms name by x-options."""
        return {
            "villages": self.villages(),
            "puskesmas": self._facilities("puskesmas"),
            "hospitals": self._facilities("hospital"),
        }

    def _facilities(self, kind: str) -> dict[str, str]:
        return {facility.id: facility.name for facility in self.facility if facility.kind == kind}


class _Links(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    service: Sequence[Service]


def load_city(name: str, folder: Path = CITIES) -> City:
    """The profile of LOKET_CITY. Raises SettingsError for a city there is no profile of, or one that cannot be read."""
    known = sorted(path.stem for path in folder.glob("*.toml") if path.stem != _LINKS)
    if name not in known:
        raise SettingsError(f"LOKET_CITY is {name!r}: there are profiles of {', '.join(known)}")
    city = _read(folder / f"{name}.toml", City)
    zoned = [
        msgspec.structs.replace(facility, time_zone=facility.time_zone or city.time_zone) for facility in city.facility
    ]
    return msgspec.structs.replace(city, facility=zoned)


def linked_services(city: City, folder: Path = CITIES) -> list[Service]:
    """The services of links.toml as this city has them."""
    own = {link.slug: link for link in city.link}
    found = _read(folder / f"{_LINKS}.toml", _Links).service
    if unknown := own.keys() - {service.slug for service in found}:
        raise SettingsError(f"profile of {city.name}: links.toml has no {', '.join(sorted(unknown))}")
    return [_as_in_city(service, own.get(service.slug), city) for service in found]


def _as_in_city(service: Service, link: Link | None, city: City) -> Service:
    url = (link.url if link else None) or service.url or city.website
    agency = (link.agency if link else None) or service.agency
    return msgspec.structs.replace(service, url=url, agency=agency)


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.parent.name}/{path.name}: {error}") from None
