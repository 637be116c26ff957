"""Every service module and integration of the tree with its parts, found by folder; nothing is named here."""

import inspect
import tomllib
from functools import lru_cache
from typing import Any

from app.discovery import adapter_type
from app.manifest import IntegrationManifest, ServiceManifest, read_manifest
from app.ports import place_of_port, port_type
from app.settings import ROOT, SettingsError
from tests.harness.source import modules

SERVICES = modules("services")
INTEGRATIONS = modules("integrations")


@lru_cache
def service_manifest(name: str) -> ServiceManifest:
    return read_manifest(ROOT / "services" / name / "manifest.toml", ServiceManifest)


@lru_cache
def integration_manifest(name: str) -> IntegrationManifest:
    return read_manifest(ROOT / "integrations" / name / "manifest.toml", IntegrationManifest)


def served() -> list[tuple[str, str]]:
    """(integration, what it serves), for every pair. Read leniently: a bad manifest fails its own test only."""
    return [(name, serves) for name in INTEGRATIONS for serves in _serves(name)]


def adapter_of(integration: str, serves: str) -> type[Any]:
    found: type[Any] = adapter_type(integration, serves, port_type(serves))
    return found


def own_methods(port: type[Any]) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}


def _serves(name: str) -> list[str]:
    try:
        read = tomllib.loads((ROOT / "integrations" / name / "manifest.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [serves for serves in read.get("serves", []) if has_contract(serves)]


def has_contract(serves: str) -> bool:
    try:
        place = place_of_port(serves).contract
    except SettingsError:
        return False
    return (ROOT / f"{place.replace('.', '/')}.py").exists()
