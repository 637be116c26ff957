"""Which port an integration's `serves` names, and the contract beside it.

`permits` is the port of services/permits, a class called PermitsPort; `health_membership` is a second one of
services/health, MembershipPort, with its checks in membership_contract.py.
"""

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from app.sandbox.port import Check
from app.settings import ROOT, SettingsError


class PortPlace(msgspec.Struct, frozen=True):
    """Where a port stands. `name` is "" for a package's own, else that of one of its further ports."""

    package: str
    name: str

    @property
    def port(self) -> str:
        """What its class is called."""
        words = self.name or self.package.rpartition(".")[2]
        return "".join(word.capitalize() for word in words.split("_")) + "Port"

    @property
    def contract(self) -> str:
        return f"{self.package}.{self.name}_contract" if self.name else f"{self.package}.contract"


def place_of_port(serves: str, root: Path = ROOT) -> PortPlace:
    """Raises SettingsError where there is none."""
    folder, _, name = serves.rpartition("_")
    for owner, port in ((serves, ""), *([(folder, name)] if folder and name else [])):
        for package in ("services", "app"):
            if (root / package / owner / "port.py").exists():
                return PortPlace(f"{package}.{owner}", port)
    raise SettingsError(f"nothing has a port named {serves!r}")


def port_type(serves: str) -> type[Any]:
    """The abstract class that adapters in `<serves>.py` implement. Raises SettingsError."""
    place = place_of_port(serves)
    ports = abstract_classes(importlib.import_module(f"{place.package}.port"))
    found = [kind for kind in ports if kind.__name__ == place.port] or ([] if place.name else ports)
    if len(found) != 1:
        raise SettingsError(f"{place.package}.port: expected one port for {serves!r}, found {len(found)}")
    return found[0]


def contract(serves: str) -> list[Check[Any]]:
    """The checks of the port that `serves` names."""
    return list(importlib.import_module(place_of_port(serves).contract).CHECKS)


def abstract_classes(where: ModuleType) -> list[type[Any]]:
    """The classes defined in a module that cannot be built."""
    return [
        kind
        for _, kind in inspect.getmembers(where, inspect.isclass)
        if kind.__module__ == where.__name__ and inspect.isabstract(kind)
    ]
