"""A port's contract run against the real backend that the settings name: `loket check-agency NAME`.

Only checks that change nothing there. The same checks run against every sandbox in every test run.
"""

import importlib
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from app.agency_client import AgencyClient
from app.discovery import adapter_type
from app.errors import AgencyError
from app.manifest import IntegrationManifest, integration_manifests
from app.sandbox.port import Check, ContractBroken
from app.settings import ROOT, BackendSettings, Settings, SettingsError, backend_settings


class Verdict(msgspec.Struct, frozen=True):
    """What one check found. `broken` says how, "" where the promise held."""

    port: str
    check: str
    broken: str = ""


async def check_agency(settings: Settings, name: str) -> AsyncIterator[Verdict]:
    """Run every check without effects. Raises SettingsError for an unknown name or a missing address."""
    manifests = integration_manifests()
    if name not in manifests:
        raise SettingsError(f"there is no integration {name!r}; there are {', '.join(sorted(manifests))}")
    manifest = manifests[name]
    backend = backend_settings(name, manifest.wanted, os.environ, settings)
    for serves in manifest.serves:
        for check in contract(serves):
            if not check.writes:
                yield Verdict(serves, check.name, await _run(check, manifest, backend, serves))


def contract(serves: str) -> list[Check[Any]]:
    """The checks that stand beside the port `serves`."""
    return list(importlib.import_module(f"{owner_of_port(serves)}.contract").CHECKS)


def port_type(serves: str) -> type[Any]:
    """The class that adapters named `serves` implement."""
    module = importlib.import_module(f"{owner_of_port(serves)}.port")
    ports: Mapping[str, type[Any]] = {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type) and kind.__module__ == module.__name__ and getattr(kind, "__abstractmethods__", None)
    }
    [port] = [kind for name, kind in ports.items() if name.endswith("Port")] or list(ports.values())
    return port


def owner_of_port(serves: str) -> str:
    """The package whose port.py an integration's <serves>.py implements. Raises SettingsError where there is none."""
    for package in ("services", "app"):
        if (ROOT / package / serves / "port.py").exists():
            return f"{package}.{serves}"
    raise SettingsError(f"nothing has a port named {serves!r}")


async def _run(check: Check[Any], manifest: IntegrationManifest, backend: BackendSettings, serves: str) -> str:
    client = AgencyClient(manifest, backend)
    try:
        await check.run(adapter_type(manifest.name, serves, port_type(serves))(client), None)
    except (ContractBroken, AgencyError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        await client.close()
    return ""
