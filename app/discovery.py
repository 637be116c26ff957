"""Finds service modules, integrations, sandboxes and routes by folder, and joins each port with its adapter.

app.main, app.worker and app.cli assemble the product from here; no folder is named anywhere.
"""

import importlib
import inspect
import os
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from app.agency_client import AgencyClient, Observe
from app.cases.port import CaseHandler
from app.inbox.port import Channel
from app.manifest import IntegrationManifest, ManifestError, ServiceManifest, integration_manifests, service_manifests
from app.sandbox.port import Sandbox
from app.settings import ROOT, Settings, backend_settings


class Module(msgspec.Struct, frozen=True):
    """One service module joined with the adapter of its port. `backend` names the integration behind it."""

    manifest: ServiceManifest
    handler: CaseHandler
    port: Any
    port_type: type
    backend: str


class Assembly(msgspec.Struct, frozen=True):
    """All that the product is made of, for one process."""

    modules: Mapping[str, Module]
    integrations: Mapping[str, IntegrationManifest]
    clients: Mapping[str, AgencyClient]
    channels: tuple[Channel, ...]

    async def close(self) -> None:
        for client in self.clients.values():
            await client.close()


def assemble(settings: Settings, observe: Observe | None = None) -> Assembly:
    """Read every manifest, connect every adapter; `observe` hears of every call to an agency.

    Raises ManifestError or SettingsError before anything is served.
    """
    integrations = integration_manifests()
    clients = {
        name: AgencyClient(manifest, backend_settings(name, manifest.wanted, os.environ, settings), observe=observe)
        for name, manifest in integrations.items()
    }
    modules = {name: _join(name, manifest, clients) for name, manifest in service_manifests().items()}
    channels = tuple(
        adapter_type(name, "inbox", Channel)(clients[name])
        for name, manifest in integrations.items()
        if "inbox" in manifest.serves
    )
    return Assembly(modules, integrations, clients, channels)


def adapter_type(integration: str, serves: str, port: type) -> Any:
    """The one class in integrations/<integration>/<serves>.py that implements `port`."""
    return one_subclass(importlib.import_module(f"integrations.{integration}.{serves}"), port)


def port_type(module: str) -> type:
    """The one abstract class of services/<module>/port.py whose name ends in Port."""
    return _one_port(importlib.import_module(f"services.{module}.port"))


def sandbox_classes() -> dict[str, type[Sandbox]]:
    """Each integration's sandbox, by the integration's name."""
    return {
        name: one_subclass(importlib.import_module(f"integrations.{name}.sandbox"), Sandbox)
        for name in integration_manifests()
    }


def route_handlers() -> list[Any]:
    """ROUTES of every routes.py under app/ and services/."""
    found: list[Any] = []
    for package in ("app", "services"):
        for path in sorted((ROOT / package).glob("*/routes.py")):
            found.extend(importlib.import_module(f"{package}.{path.parent.name}.routes").ROUTES)
    return found


def one_subclass(where: ModuleType, parent: type) -> Any:
    """The single concrete subclass of `parent` defined in a module. Raises ManifestError for none or several."""
    found = [kind for kind in _classes_of(where) if issubclass(kind, parent) and kind is not parent]
    if len(found) != 1:
        raise ManifestError(f"{where.__name__}: expected one {parent.__name__}, found {len(found)}")
    if inspect.isabstract(found[0]):
        missing = ", ".join(sorted(getattr(found[0], "__abstractmethods__", ())))
        raise ManifestError(f"{where.__name__}: {found[0].__name__} lacks {missing}")
    return found[0]


def _join(name: str, manifest: ServiceManifest, clients: Mapping[str, AgencyClient]) -> Module:
    handler = one_subclass(importlib.import_module(f"services.{name}.cases"), CaseHandler)
    kind = port_type(name)
    serving = [backend for backend in clients if name in clients[backend].manifest.serves]
    chosen = os.environ.get(f"LOKET_{name.upper()}_BACKEND", serving[0] if len(serving) == 1 else "")
    if chosen not in serving:
        raise ManifestError(
            f"services/{name}: {len(serving)} integrations serve it; LOKET_{name.upper()}_BACKEND names one"
        )
    port = adapter_type(chosen, name, kind)(clients[chosen])
    return Module(manifest, handler(port), port, kind, chosen)


def _one_port(where: ModuleType) -> type:
    found = [kind for kind in _classes_of(where) if inspect.isabstract(kind) and kind.__name__.endswith("Port")]
    if len(found) != 1:
        raise ManifestError(f"{where.__name__}: expected one port, found {len(found)}")
    return found[0]


def _classes_of(where: ModuleType) -> Iterable[type]:
    return (kind for _, kind in inspect.getmembers(where, inspect.isclass) if kind.__module__ == where.__name__)
