"""Where the systems of an integration are: one for all, or one for each facility where every place runs its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from app.catalog.facilities import Facility
from app.manifest import FolderName, IntegrationManifest, Slug
from app.settings import BackendSettings, Settings, SettingsError, backend_reach, backend_settings

P = TypeVar("P")


class Branch(msgspec.Struct, Generic[P], frozen=True):
    """One facility and the port to its system; None while that system is not connected."""

    facility: Facility
    port: P | None


class FacilityBackend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What LOKET_<INTEGRATION>_FACILITIES says of one facility: what differs from the manifest's demo values."""

    url: str = ""
    credentials: Mapping[FolderName, str] = {}
    settings: Mapping[FolderName, str] = {}
    networks: Sequence[str] = ()
    ca_file: str = ""


def backends_of(
    manifest: IntegrationManifest, facilities: Sequence[Facility], environ: Mapping[str, str], where: Settings
) -> dict[str, BackendSettings]:
    """Every system behind an integration, by facility; by "" where there is one for all.

    In production a facility that the variable does not name is not connected. Raises SettingsError.
    """
    if not manifest.each_facility:
        return {"": backend_settings(manifest.name, manifest.wanted, environ, where)}
    own = [facility for facility in facilities if facility.integration == manifest.name]
    given = _given(f"LOKET_{manifest.name.upper()}_FACILITIES", environ, where)
    if unknown := sorted(given.keys() - {facility.id for facility in own}):
        raise SettingsError(f"LOKET_{manifest.name.upper()}_FACILITIES: the city's profile has no {', '.join(unknown)}")
    return {
        facility.id: _backend(manifest, facility, given.get(facility.id, FacilityBackend()), where)
        for facility in own
        if where.is_demo or facility.id in given
    }


def _given(variable: str, environ: Mapping[str, str], where: Settings) -> dict[str, FacilityBackend]:
    """A file's path (.toml or .json), or JSON itself."""
    value = environ.get(variable, "").strip()
    if not value:
        if where.is_demo:
            return {}
        raise SettingsError(
            f"{variable} is not set: a TOML or JSON file, or JSON, of every connected facility's system"
        )
    try:
        if value.startswith("{"):
            return msgspec.json.decode(value, type=dict[Slug, FacilityBackend])
        decode = msgspec.toml.decode if value.endswith(".toml") else msgspec.json.decode
        return decode(Path(value).expanduser().read_bytes(), type=dict[Slug, FacilityBackend])
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        # A decoding error may quote a credential; its class and place are enough.
        raise SettingsError(f"{variable} cannot be read: {_harmless(error)}") from None


def _harmless(error: Exception) -> str:
    return str(error) if isinstance(error, msgspec.ValidationError | OSError) else type(error).__name__


def _backend(
    manifest: IntegrationManifest, facility: Facility, given: FacilityBackend, where: Settings
) -> BackendSettings:
    prefix = f"LOKET_{manifest.name.upper()}_FACILITIES, {facility.id}"
    wanted = manifest.wanted
    for kind, told, known in (
        ("credentials", given.credentials, wanted.credentials),
        ("settings", given.settings, wanted.settings),
    ):
        if unknown := sorted(told.keys() - known.keys()):
            raise SettingsError(f"{prefix}: unknown {kind} {', '.join(unknown)}")
    if not where.is_demo:
        _refuse_demo(prefix, given, wanted.credentials)
    return BackendSettings(
        facility.backend,
        (given.url or f"{where.sandbox_url}/{manifest.name}/{facility.id}").rstrip("/"),
        {**wanted.credentials, **given.credentials},
        {**wanted.settings, **given.settings, "facility": facility.id, "time_zone": facility.time_zone},
        backend_reach(f"{prefix}: ", given.url, ",".join(given.networks), given.ca_file, where),
    )


def _refuse_demo(prefix: str, given: FacilityBackend, credentials: Mapping[str, str]) -> None:
    if not given.url:
        raise SettingsError(f"{prefix}: url is not set: production needs the address of the facility's system")
    for name, demo in credentials.items():
        value = given.credentials.get(name, "")
        if not value or value == demo:
            raise SettingsError(f"{prefix}: credential {name} is not set, or is the demo's")
