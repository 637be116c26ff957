"""Every service module: its manifest, its files, its port, its handler, its forms."""

import ast
import importlib
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.cases.port import CaseHandler
from app.discovery import one_subclass
from app.facilities import Branch
from app.manifest import service_manifests
from app.ports import abstract_classes, contract, port_type
from app.settings import ROOT
from tests.conformance.folders import SERVICES, own_methods, service_manifest
from tests.harness.source import read

pytestmark = [pytest.mark.tree, pytest.mark.parametrize("name", SERVICES)]

# The same file names in every module, so that who knows one module knows them all.
FILES = {
    "__init__.py": "what the module is",
    "manifest.toml": "its services, readable without Python",
    "texts.toml": "words for people",
    "forms": "one JSON Schema per form and version",
    "port.py": "what it needs from a backend",
    "contract.py": "the port's behaviour, as checks",
    "facilities.py": "the places behind it, where each has its own system",
    "queues.py": "live queues, shared by all who watch",
    "cases.py": "handing a case over, and asking after it",
    "actions.py": "what it does, without HTTP",
    "entitlements.py": "what agencies give, as those may see it whom it concerns",
    "views.py": "what was told, as its reader sees it",
    "routes.py": "its own addresses",
    "schemas.py": "bodies in and out",
    "models.py": "its tables",
    "home.py": "its part of the citizen's home",
    "pages.py": "its public pages",
    "extract.py": "what it draws as PDF",
}
PAGE_FILES = {".html", ".css"}
FURTHER_CONTRACT = "_contract.py"


def folder(name: str) -> Path:
    return ROOT / "services" / name


def served_names(name: str) -> list[str]:
    """What integrations serve to reach the module's ports: its own name, and `<name>_<port>` for each further port."""
    return [name, *(f"{name}_{port}" for port in further_ports(name))]


def further_ports(name: str) -> list[str]:
    """The ports beside the module's own, by their classes' names."""
    own = port_type(name)
    found = abstract_classes(importlib.import_module(f"services.{name}.port"))
    return [
        re.sub(r"(?<!^)([A-Z])", r"_\1", kind.__name__.removesuffix("Port")).lower()
        for kind in found
        if kind is not own
    ]


def test_the_manifest_is_valid(name: str) -> None:
    assert service_manifest(name).name == name
    assert name in service_manifests()


def test_only_the_usual_files(name: str) -> None:
    found = {path.name for path in folder(name).iterdir()} - {"__pycache__"}
    further = {f"{port}{FURTHER_CONTRACT}" for port in further_ports(name)}
    assert further <= found, "a port without a contract promises nothing"
    assert not {file for file in found - FILES.keys() - further if Path(file).suffix not in PAGE_FILES}
    assert {"__init__.py", "manifest.toml", "port.py", "contract.py", "cases.py"} <= found
    assert not [path.name for path in folder(name).glob("forms/*") if path.suffix != ".json"]


def test_its_ports_are_abstract_classes_of_documented_async_methods(name: str) -> None:
    ports = [port_type(served) for served in served_names(name)]
    assert set(abstract_classes(importlib.import_module(f"services.{name}.port"))) == set(ports)
    for port in ports:
        assert port.__name__.endswith("Port")
        methods = own_methods(port)
        assert methods, "a port without a method needs nothing from a backend"
        for method_name, method in methods.items():
            assert inspect.iscoroutinefunction(method), f"{method_name} is not async"
            assert method_name in port.__abstractmethods__, f"{method_name} is not abstract"
            assert (method.__doc__ or "").strip(), f"{method_name} says nothing of itself"


def test_its_ports_name_their_types_in_full(name: str) -> None:
    for method_name, method in (
        pair for served in served_names(name) for pair in own_methods(port_type(served)).items()
    ):
        signature = inspect.signature(method)
        assert signature.return_annotation is not inspect.Signature.empty, method_name
        given = list(signature.parameters.values())[1:]
        assert all(parameter.annotation is not inspect.Parameter.empty for parameter in given), method_name


def test_its_contracts_have_checks_that_write_and_checks_that_do_not(name: str) -> None:
    """A check that suffers a fault writes: it never runs against a real backend."""
    for served in served_names(name):
        checks = contract(served)
        assert {check.writes for check in checks} == {True, False}, served
        names = [check.name for check in checks]
        assert len(set(names)) == len(names), served


def test_one_case_handler_takes_the_port(name: str) -> None:
    """Or, where every facility has a system of its own, a branch for each."""
    handler = one_subclass(importlib.import_module(f"services.{name}.cases"), CaseHandler)
    [port] = list(inspect.signature(handler).parameters.values())
    assert port.annotation in (port_type(name), Mapping[str, Branch[port_type(name)]])  # type: ignore[misc]  # at run time


def test_forms_and_services_name_each_other(name: str) -> None:
    services = service_manifest(name).service
    asked = {service.form for service in services if service.form}
    there = {path.name.split(".")[0] for path in folder(name).glob("forms/*.json")}
    assert asked == there
    for service in services:
        assert (service.mode == "api") == bool(service.form), f"{service.slug}: a form belongs to mode api"
        assert (service.mode == "api") != bool(service.url), f"{service.slug}: an address belongs to sso and weblink"


def test_requirements_name_file_fields_of_their_form(name: str) -> None:
    for service in service_manifest(name).service:
        named = {requirement.field for requirement in service.requirements if requirement.field}
        if not named:
            continue
        versions = sorted(folder(name).glob(f"forms/{service.form}.*.json"))
        fields = json.loads(versions[-1].read_text("utf-8"))["properties"]
        assert named <= {field for field, spec in fields.items() if "x-file" in spec}, service.slug


def test_manifest_texts_are_whole_in_both_languages(name: str) -> None:
    for service in service_manifest(name).service:
        for text in (service.title, service.summary, service.product, service.complaints, *service.procedure):
            assert text.id.strip(), service.slug
            assert text.en.strip(), service.slug
        assert service.legal_basis, f"{service.slug} names no law"


def test_actions_and_cases_do_not_commit(name: str) -> None:
    """Nobody commits; the edge does, once."""
    for path in folder(name).glob("*.py"):
        calls = [node for node in ast.walk(read(path).tree) if isinstance(node, ast.Call)]
        attributes = [call.func.attr for call in calls if isinstance(call.func, ast.Attribute)]
        assert not {"commit", "rollback"} & set(attributes), path.name
