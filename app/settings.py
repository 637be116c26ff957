"""One typed settings object, read once from the environment. Nothing else reads environment variables."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec

ROOT = Path(__file__).resolve().parent.parent
# What a setting of production must name, as nobody can know it.
NEEDED = ("database_url", "valkey_url", "data_key", "index_key", "public_url")
_SCHEMES = {
    "database_url": ("postgresql", "postgres"),
    "migration_database_url": ("postgresql", "postgres"),
    "valkey_url": ("redis", "rediss", "unix"),
    "otlp_url": ("http", "https"),
}
_PLACE = re.compile(r" - at `\$\.(\w+)`$")
_HOURS = re.compile(r"^(\d|1\d|2[0-3])-(\d|1\d|2[0-4])$")
_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class SettingsError(Exception):
    """A setting is missing or cannot be used; the message names the variable and what it must be."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every LOKET_ variable of the product. Unset database and valkey addresses mean the embedded servers."""

    database_url: str = ""
    migration_database_url: str = ""
    valkey_url: str = ""
    data_dir: Path = ROOT / ".loket"
    host: str = "127.0.0.1"
    port: _Port = 8000
    sandbox_port: _Port = 8100
    public_url: str = ""
    city: str = "kediri"
    env: Literal["demo", "production"] = "demo"
    limits: Literal["strict", "load"] = "strict"
    cors_origins: str = ""
    login_redirects: str = "satuloket://login"
    trusted_proxies: str = ""
    passkey_domain: str = ""
    passkey_origins: str = ""
    data_key: str = ""
    index_key: str = ""
    names_key: str = ""
    anchor_key: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_url: str = ""
    trace_ratio: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01
    trace_slow_s: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    files_url: str = ""
    db_pool: Annotated[int, msgspec.Meta(ge=2, le=500)] = 10
    metrics_port: _Port = 0
    metrics_host: str = "127.0.0.1"
    memory_mb: int = 1024
    deletion_wait_h: Annotated[float, msgspec.Meta(ge=0)] = 24.0
    scrub_hours: str = "1-4"

    @property
    def is_demo(self) -> bool:
        return self.env == "demo"

    @property
    def issuer(self) -> str:
        """The address citizens' clients and the city's other applications know us by."""
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def app_redirects(self) -> frozenset[str]:
        """Where citizens' apps wait for the end of a login in the browser, letter by letter."""
        return frozenset(each.strip() for each in self.login_redirects.split(",") if each.strip())

    @property
    def sandbox_url(self) -> str:
        return f"http://{self.host}:{self.sandbox_port}"


class Reach(msgspec.Struct, frozen=True):
    """Which addresses a backend may have: those in `networks` where some are named, else any public one, and any
    private one too where `anywhere` (the demo). `ca_file`: the authority that signs its certificate, "" for the
    machine's own list."""

    networks: tuple[str, ...] = ()
    ca_file: str = ""
    anywhere: bool = True


class BackendSettings(msgspec.Struct, frozen=True):
    """Where one backend answers, its credentials and its other settings by the names its manifest declares."""

    name: str
    url: str
    credentials: Mapping[str, str]
    settings: Mapping[str, str] = {}
    reach: Reach = Reach()


class Wanted(msgspec.Struct, frozen=True):
    """What an integration's manifest asks for, each with its demo value."""

    settings: Mapping[str, str]
    credentials: Mapping[str, str]


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Build settings from LOKET_ variables.

    Raises SettingsError naming each variable that is missing or cannot be used, without its value: it may be a secret.
    """
    raw = {
        name: environ[variable]
        for name in Settings.__struct_fields__
        if (variable := f"LOKET_{name.upper()}") in environ and environ[variable] != ""
    }
    if url := environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""):
        # The name that a city's other systems know; ours goes before it.
        raw.setdefault("otlp_url", url)
    try:
        settings = msgspec.convert(raw, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(_words(str(error))) from None
    if faults := [*_unusable(settings), *_unsafe(settings)]:
        raise SettingsError("\n  ".join(faults))
    return settings


@lru_cache(maxsize=1)
def settings() -> Settings:
    """This process's settings."""
    return read_settings(os.environ)


def backend_settings(name: str, wanted: Wanted, environ: Mapping[str, str], where: Settings) -> BackendSettings:
    """Address, settings and credentials of one integration.

    In demo the address is the sandbox's unless LOKET_<NAME>_URL says otherwise, and what is not set has its demo value.
    In production every one must be set. Raises SettingsError naming all that are not.
    """
    prefix = f"LOKET_{name.upper()}_"
    url = environ.get(f"{prefix}URL", "")
    given = {key: environ.get(prefix + key.upper(), "") for key in (*wanted.settings, *wanted.credentials)}
    if not where.is_demo:
        missing = [prefix + key.upper() for key, value in {"url": url, **given}.items() if not value]
        if missing:
            raise SettingsError(f"{', '.join(missing)} must be set: production has no default for the agency's system")
        for key, value in given.items():
            if value == wanted.credentials.get(key):
                raise SettingsError(f"{prefix}{key.upper()} is the demo's: production needs the real one")
    return BackendSettings(
        name,
        (url or f"{where.sandbox_url}/{name}").rstrip("/"),
        {key: given[key] or demo for key, demo in wanted.credentials.items()},
        {key: given[key] or demo for key, demo in wanted.settings.items()},
        backend_reach(prefix, url, environ.get(f"{prefix}NETWORKS", ""), environ.get(f"{prefix}CA_FILE", ""), where),
    )


def backend_reach(prefix: str, url: str, networks: str, ca_file: str, where: Settings) -> Reach:
    """Raises SettingsError for an address, network or file that cannot be used.

    In production plain http is for networks that are named: what goes over the public ones is encrypted.
    """
    parts = _address_parts(prefix, url)
    named = tuple(part.strip() for part in networks.split(",") if part.strip())
    for network in named:
        try:
            ip_network(network)
        except ValueError:
            raise SettingsError(f"{prefix}NETWORKS: {network} is not a network such as 10.20.0.0/16") from None
    if not where.is_demo and parts.scheme == "http" and not named:
        raise SettingsError(f"{prefix}URL is plain http: use https, or name the agency's own networks in NETWORKS")
    if ca_file and not Path(ca_file).expanduser().is_file():
        raise SettingsError(f"{prefix}CA_FILE: there is no such file")
    return Reach(named, str(Path(ca_file).expanduser()) if ca_file else "", anywhere=where.is_demo)


def _address_parts(prefix: str, url: str) -> SplitResult:
    fault = SettingsError(f"{prefix}URL is not an address such as https://agency.example/api, without user or query")
    try:
        parts = urlsplit(url or "http://sandbox")
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise fault from None
    if not usable or parts.username or parts.password or parts.query or parts.fragment:
        raise fault
    return parts


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser().resolve()
    raise NotImplementedError(f"cannot read a {kind.__name__}")


def _words(refusal: str) -> str:
    """msgspec's, with the variable's name in place of the field's."""
    place = _PLACE.search(refusal)
    if place is None:
        return f"LOKET settings: {refusal}"
    detail = refusal[: place.start()]
    if detail.startswith("Invalid enum value"):
        detail = f"must be one of these: {', '.join(get_args(Settings.__annotations__[place[1]]))}"
    return f"LOKET_{place[1].upper()}: {detail}"


def _unusable(settings: Settings) -> Iterator[str]:
    """What would end a process later, or be without any effect."""
    for name, schemes in _SCHEMES.items():
        value = getattr(settings, name)
        if value and not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            yield f"LOKET_{name.upper()} must begin with {schemes[0]}://"
    for network in (part.strip() for part in settings.trusted_proxies.split(",") if part.strip()):
        try:
            ip_network(network)
        except ValueError:
            yield f"LOKET_TRUSTED_PROXIES: {network} is no network such as 10.0.0.5/32"
    if not _HOURS.match(settings.scrub_hours):
        yield "LOKET_SCRUB_HOURS must be two hours of the day, such as 1-4"


def _unsafe(settings: Settings) -> Iterator[str]:
    """What production has no default for, or must not have."""
    if settings.is_demo:
        return
    for name in NEEDED:
        if not getattr(settings, name):
            yield f"LOKET_{name.upper()} is not set: production has no default for it"
    if settings.limits == "load":
        yield "LOKET_LIMITS=load lifts rate limits: demo only"
    parts = urlsplit(settings.public_url)
    if settings.public_url and (parts.scheme != "https" or not parts.netloc or parts.path or parts.username):
        yield "LOKET_PUBLIC_URL must begin with https:// and end with the host: no path, no / at its end"
