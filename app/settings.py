"""One typed settings object, read once from the environment. Nothing else reads environment variables."""

import os
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

ROOT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """A setting is missing or cannot be used; the message names the variable and what it must be."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every LOKET_ variable of the product. Unset database and valkey addresses mean the embedded servers."""

    database_url: str = ""
    migration_database_url: str = ""
    valkey_url: str = ""
    data_dir: Path = ROOT / ".loket"
    host: str = "127.0.0.1"
    port: int = 8000
    sandbox_port: int = 8100
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
    db_pool: int = 10
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"
    memory_mb: int = 1024
    deletion_wait_h: float = 24.0
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

    Raises SettingsError naming the variable where a value has the wrong form.
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
        raise SettingsError(f"LOKET settings: {error}") from None
    _refuse_unsafe(settings)
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


def _refuse_unsafe(settings: Settings) -> None:
    if settings.otlp_url and not settings.otlp_url.startswith(("http://", "https://")):
        raise SettingsError("LOKET_OTLP_URL is not an address such as http://collector.example:4318")
    if settings.is_demo:
        return
    for name in ("database_url", "valkey_url", "data_key", "index_key", "public_url"):
        if not getattr(settings, name):
            raise SettingsError(f"LOKET_{name.upper()} is not set: production has no default for it")
    if settings.limits == "load":
        raise SettingsError("LOKET_LIMITS=load lifts rate limits: demo only")
    if not settings.public_url.startswith("https://"):
        raise SettingsError("LOKET_PUBLIC_URL must begin with https:// in production")
