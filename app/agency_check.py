"""A port's contract run against the real backend that the settings name: `loket check-agency NAME`.

Only checks that change nothing there. The same checks run against every sandbox in every test run.
"""

import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from app.agency_client import AgencyClient
from app.catalog.city import load_city
from app.discovery import adapter_type
from app.errors import AgencyError
from app.facilities import backends_of
from app.manifest import IntegrationManifest, integration_manifests
from app.ports import contract, port_type
from app.sandbox.port import Check, ContractBroken
from app.settings import BackendSettings, Settings, SettingsError


class Verdict(msgspec.Struct, frozen=True):
    """What one check found. `facility` is "" where one system serves all; `broken` says how, "" where it held."""

    port: str
    check: str
    broken: str = ""
    facility: str = ""


async def check_agency(settings: Settings, name: str) -> AsyncIterator[Verdict]:
    """Run every check without effects, for each facility's system. Raises SettingsError for an unknown name or a
    missing address."""
    manifests = integration_manifests()
    if name not in manifests:
        raise SettingsError(f"there is no integration {name!r}; there are {', '.join(sorted(manifests))}")
    manifest = manifests[name]
    backends = backends_of(manifest, load_city(settings.city).facility, os.environ, settings)
    for facility, backend in backends.items():
        for serves in manifest.serves:
            for check in contract(serves):
                if not check.writes:
                    yield Verdict(serves, check.name, await _run(check, manifest, backend, serves), facility)


async def _run(check: Check[Any], manifest: IntegrationManifest, backend: BackendSettings, serves: str) -> str:
    client = AgencyClient(manifest, backend)
    try:
        await check.run(adapter_type(manifest.name, serves, port_type(serves))(client), None)
    except (ContractBroken, AgencyError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        await client.close()
    return ""
