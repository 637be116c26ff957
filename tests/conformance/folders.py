"""Every service module and integration of the tree with its parts, found by folder; nothing is named here."""

import inspect
import tomllib
from abc import ABC
from functools import lru_cache
from types import ModuleType
from typing import Any

from app.agency_check import port_type
from app.discovery import adapter_type
from app.manifest import IntegrationManifest, ServiceManifest, read_manifest
from app.settings import ROOT
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


def abstract_classes(module: ModuleType) -> list[type[Any]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and issubclass(kind, ABC) and inspect.isabstract(kind)
    ]


def own_methods(port: type[Any]) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}


def _serves(name: str) -> list[str]:
    try:
        read = tomllib.loads((ROOT / "integrations" / name / "manifest.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [serves for serves in read.get("serves", []) if has_contract(serves)]


def has_contract(serves: str) -> bool:
    return any((ROOT / package / serves / "contract.py").exists() for package in ("services", "app"))
