"""Finds service modules, integrations, sandboxes and routes by folder, and joins each port with its adapter.

app.main, app.worker and app.cli assemble the product from here; no folder is named anywhere.
"""

import importlib
import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec

from app.agency_client import AgencyClient, Shared
from app.callbacks.port import Callbacks
from app.cases.port import CaseHandler
from app.cases.tools import CaseTools
from app.catalog.city import load_city
from app.catalog.facilities import Facility
from app.facilities import Branch, backends_of
from app.home.gathering import Placed
from app.home.own import OWN
from app.home.port import Kind, Part
from app.inbox.port import Channel
from app.manifest import IntegrationManifest, ManifestError, ServiceManifest, integration_manifests, service_manifests
from app.pages.navigation import Entry
from app.ports import place_of_port, port_type
from app.sandbox.port import Sandbox
from app.settings import ROOT, BackendSettings, Settings, SettingsError


class Module(msgspec.Struct, frozen=True):
    """One service module joined with the adapter of its port. `backends` names the system behind it: under "" the one
    for all, or each facility's under the facility's id. Then `port` is a mapping of Branches by facility."""

    manifest: ServiceManifest
    handler: CaseHandler
    port: Any
    backends: Mapping[str, str]


class Assembly(msgspec.Struct, frozen=True):
    """All that the product is made of, for one process. By backend: `clients`, and `callbacks` of those that tell us
    something unasked; `ports`: those beside a module's own."""

    modules: Mapping[str, Module]
    integrations: Mapping[str, IntegrationManifest]
    clients: Mapping[str, AgencyClient]
    channels: tuple[Channel, ...]
    ports: Mapping[str, Any]
    callbacks: Mapping[str, Callbacks]

    async def close(self) -> None:
        for client in self.clients.values():
            await client.close()


def assemble(settings: Settings, shared: Shared | None = None) -> Assembly:
    """Read every manifest, connect every adapter; `shared` is what their clients have in common.

    Raises ManifestError or SettingsError before anything is served.
    """
    integrations = integration_manifests()
    facilities = load_city(settings.city).facility
    clients = {
        name: {facility: AgencyClient(integrations[name], backend, shared) for facility, backend in own.items()}
        for name, own in _backends(integrations, facilities, settings).items()
    }
    reach = _Reach(integrations, clients, facilities)
    modules = {name: _join(name, manifest, reach) for name, manifest in service_manifests().items()}
    channels = tuple(
        adapter_type(name, "inbox", Channel)(clients[name][""])
        for name, manifest in integrations.items()
        if "inbox" in manifest.serves
    )
    by_backend = {client.backend.name: client for own in clients.values() for client in own.values()}
    callbacks = {
        client.backend.name: kind(client.backend)
        for name, own in clients.items()
        if (kind := callbacks_type(name)) is not None
        for client in own.values()
    }
    return Assembly(modules, integrations, by_backend, channels, _further_ports(reach), callbacks)


def adapter_type(integration: str, serves: str, port: type) -> Any:
    """The one class in integrations/<integration>/<serves>.py that implements `port`."""
    return one_subclass(importlib.import_module(f"integrations.{integration}.{serves}"), port)


def callbacks_type(integration: str, root: Path = ROOT) -> type[Callbacks] | None:
    """The class in integrations/<integration>/callbacks.py; None where the backend never calls."""
    if not (root / "integrations" / integration / "callbacks.py").exists():
        return None
    found: type[Callbacks] = one_subclass(importlib.import_module(f"integrations.{integration}.callbacks"), Callbacks)
    return found


def require_backends(settings: Settings) -> None:
    """Raises SettingsError with all that is missing of agencies' systems, before a process is started that needs it."""
    _backends(integration_manifests(), load_city(settings.city).facility, settings)


def sandbox_classes() -> dict[str, type[Sandbox]]:
    """Each integration's sandbox, by the integration's name."""
    return {
        name: one_subclass(importlib.import_module(f"integrations.{name}.sandbox"), Sandbox)
        for name in integration_manifests()
    }


def route_handlers() -> list[Any]:
    """ROUTES of every routes.py and PAGE_ROUTES of every page_routes.py under app/ and services/, however deep."""
    places = (("routes.py", "ROUTES"), ("page_routes.py", "PAGE_ROUTES"))
    return [each for file, constant in places for each in _found_in(file, constant)]


def navigation() -> list[Entry]:
    """NAVIGATION of every page_routes.py: the entries of officers' menu."""
    return _found_in("page_routes.py", "NAVIGATION")


def home_parts(found: Assembly, cases: CaseTools) -> tuple[Placed, ...]:
    """The city's own parts of citizens' homes, and those of every module's home.py, as a home shows them.

    Raises ManifestError.
    """
    own = [Placed(kind(None, cases)) for kind in OWN]
    parts = [*own, *(each for module in found.modules.values() for each in _parts_of(module, found, cases))]
    order = get_args(Kind)
    return tuple(sorted(parts, key=lambda each: (order.index(each.part.kind), each.name)))


def _parts_of(module: Module, found: Assembly, cases: CaseTools) -> Iterable[Placed]:
    name = module.manifest.name
    if not (ROOT / "services" / name / "home.py").exists():
        return
    kinds = [each for each in _classes_of(importlib.import_module(f"services.{name}.home")) if issubclass(each, Part)]
    if len({kind.kind for kind in kinds}) < len(kinds):
        raise ManifestError(f"services.{name}.home: two parts of one kind")
    services = tuple(service.slug for service in module.manifest.service)
    for kind in kinds:
        port = found.ports[kind.serves] if kind.serves else module.port
        yield Placed(kind(port, cases), name, module.manifest.agency, services)


def _found_in(file: str, constant: str) -> list[Any]:
    """What modules of this name hold in this constant, together."""
    found: list[Any] = []
    for package in ("app", "services"):
        for path in sorted((ROOT / package).rglob(file)):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found.extend(getattr(importlib.import_module(name), constant))
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


def _backends(
    integrations: Mapping[str, IntegrationManifest], facilities: Sequence[Facility], settings: Settings
) -> Mapping[str, Mapping[str, BackendSettings]]:
    """Every system's settings. Raises SettingsError with all that is missing anywhere, not one after the other."""
    found, faults = {}, []
    for name, manifest in integrations.items():
        try:
            found[name] = backends_of(manifest, facilities, os.environ, settings)
        except SettingsError as fault:
            faults.append(str(fault))
    if faults:
        raise SettingsError("\n  ".join(faults))
    return found


class _Reach(msgspec.Struct, frozen=True):
    """The integrations, a client for each of their systems by facility, and the facilities of the city."""

    integrations: Mapping[str, IntegrationManifest]
    clients: Mapping[str, Mapping[str, AgencyClient]]
    facilities: Sequence[Facility]

    def serving(self, name: str) -> list[str]:
        return [integration for integration, manifest in self.integrations.items() if name in manifest.serves]

    def chosen(self, name: str) -> str:
        """The one integration behind a port that takes one. Raises ManifestError."""
        serving = self.serving(name)
        chosen = os.environ.get(f"LOKET_{name.upper()}_BACKEND", serving[0] if len(serving) == 1 else "")
        if chosen not in serving:
            raise ManifestError(f"{name}: {len(serving)} integrations serve it; LOKET_{name.upper()}_BACKEND names one")
        return chosen


def _join(name: str, manifest: ServiceManifest, reach: _Reach) -> Module:
    handler = one_subclass(importlib.import_module(f"services.{name}.cases"), CaseHandler)
    kind = port_type(name)
    serving = reach.serving(name)
    if serving and all(reach.integrations[each].each_facility for each in serving):
        branches = _branches(name, kind, reach)
        backends = {each.facility.id: each.facility.backend for each in branches.values() if each.port is not None}
        return Module(manifest, handler(branches), branches, backends)
    chosen = reach.chosen(name)
    client = reach.clients[chosen][""]
    port = adapter_type(chosen, name, kind)(client)
    return Module(manifest, handler(port), port, {"": client.backend.name})


def _branches(name: str, kind: type, reach: _Reach) -> dict[str, Branch[Any]]:
    """Every facility whose integration serves the module, connected or not."""
    serving = reach.serving(name)
    found: dict[str, Branch[Any]] = {}
    for facility in reach.facilities:
        if facility.integration in serving:
            client = reach.clients[facility.integration].get(facility.id)
            port = adapter_type(facility.integration, name, kind)(client) if client is not None else None
            found[facility.id] = Branch(facility, port)
    return found


def _further_ports(reach: _Reach) -> dict[str, Any]:
    """The ports of app's own rooms, and those that modules have beside their own, by the name they are served under."""
    served = {serves for manifest in reach.integrations.values() for serves in manifest.serves}
    found = {}
    for name in sorted(served - {"inbox"}):  # its channels may be many
        place = place_of_port(name)
        if not place.name and not place.package.startswith("app."):
            continue
        chosen = reach.chosen(name)
        found[name] = adapter_type(chosen, name, port_type(name))(reach.clients[chosen][""])
    return found


def _classes_of(where: ModuleType) -> Iterable[type]:
    return (kind for _, kind in inspect.getmembers(where, inspect.isclass) if kind.__module__ == where.__name__)
