"""Every integration: its manifest, its files, one adapter for each port it serves, a sandbox that matches."""

import ast
import inspect
from pathlib import Path

import pytest

from app.discovery import sandbox_classes
from app.manifest import integration_manifests
from app.ports import place_of_port, port_type
from app.sandbox.ledger import FileLedger
from app.sandbox.port import Sandbox
from app.settings import ROOT
from tests.conformance.folders import (
    INTEGRATIONS,
    adapter_of,
    has_contract,
    integration_manifest,
    own_methods,
)
from tests.harness.source import read

pytestmark = [pytest.mark.tree, pytest.mark.parametrize("name", INTEGRATIONS)]

FILES = {
    "__init__.py": "what the backend is",
    "manifest.toml": "how it may be called",
    "texts.toml": "words for people",
    "client.py": "its wire protocol",
    "bus.py": "the bus through which it is reached",
    "callbacks.py": "what it tells us unasked",
    "sandbox.py": "a server that speaks like it",
    "sandbox.toml": "what that server knows from the start",
    "sandbox_bus.py": "the bus before that server",
    "sandbox_sent.py": "what that server is sent, as it reads it",
    "households.py": "the households in the pretended office's register",
    "numbers.py": "how the backend numbers what it takes in",
    "office.py": "the pretended office behind that server",
    "forms.py": "our values as its fields",
    "lists.py": "its own lists of codes",
    "lookup.py": "finding what a lost answer made",
    "refusals.py": "its words for no, and what they mean",
    "sealing.py": "how it signs requests and seals answers",
    "lzstring.py": "how it packs them",
}


def folder(name: str) -> Path:
    return ROOT / "integrations" / name


def test_the_manifest_is_valid(name: str) -> None:
    manifest = integration_manifest(name)
    assert manifest.name == name
    assert name in integration_manifests()
    assert manifest.operations, "a backend without operations"


def test_only_the_usual_files(name: str) -> None:
    found = {path.name for path in folder(name).iterdir()} - {"__pycache__"}
    adapters = {f"{serves}.py" for serves in integration_manifest(name).serves}
    assert found <= FILES.keys() | adapters
    assert {"__init__.py", "manifest.toml", "client.py", "sandbox.py"} | adapters <= found


def test_it_serves_ports_that_exist(name: str) -> None:
    serves = integration_manifest(name).serves
    assert serves
    assert all(place_of_port(module) for module in serves)
    assert all(has_contract(module) for module in serves), "a port without a contract promises nothing"
    assert len(set(serves)) == len(serves)


def test_each_adapter_implements_its_whole_port(name: str) -> None:
    for serves in integration_manifest(name).serves:
        adapter = adapter_of(name, serves)
        for method_name, promised in own_methods(port_type(serves)).items():
            given = getattr(adapter, method_name)
            assert inspect.iscoroutinefunction(given), f"{adapter.__name__}.{method_name} is not async"
            assert parameters(given) == parameters(promised), f"{adapter.__name__}.{method_name} takes other parameters"


def test_one_sandbox_bears_the_integrations_name(name: str) -> None:
    assert sandbox_classes()[name].name == name


def test_sandbox_and_manifest_know_the_same_operations(name: str, tmp_path: Path) -> None:
    sandbox = opened(name, tmp_path)
    assert {route.operation for route in sandbox.routes()} == set(integration_manifest(name).operations)


def test_sandbox_routes_stay_out_of_the_controls(name: str, tmp_path: Path) -> None:
    assert not [route.path for route in opened(name, tmp_path).routes() if "_sandbox" in route.path]
    assert all(route.path.startswith("/") for route in opened(name, tmp_path).routes())


def test_every_operation_is_called_by_the_client_or_an_adapter(name: str) -> None:
    """And none is called that the manifest has no policy for."""
    callers = [path for path in folder(name).glob("*.py") if path.name not in {"sandbox.py", "callbacks.py"}]
    words = {word for path in callers for word in constants(read(path).tree)}
    assert not set(integration_manifest(name).operations) - words


def test_the_adapter_takes_the_agency_client_alone(name: str) -> None:
    for serves in integration_manifest(name).serves:
        assert len(inspect.signature(adapter_of(name, serves)).parameters) == 1


def test_nothing_goes_out_past_the_agency_client(name: str) -> None:
    """One way out: with its budget, its size cap, its trace."""
    reaching = {"aiohttp", "httpx", "requests", "urllib", "socket", "http", "urllib3"}
    for path in folder(name).glob("*.py"):
        if path.name.startswith("sandbox"):
            continue
        assert not reaching & imported(read(path).tree), path.name


def opened(name: str, tmp_path: Path) -> Sandbox:
    ledger = FileLedger(tmp_path / f"{name}.jsonl")
    sandbox = sandbox_classes()[name](ledger)
    ledger.open(sandbox.apply)
    return sandbox


def parameters(method: object) -> list[tuple[str, str]]:
    assert callable(method)
    return [(parameter.name, parameter.kind.name) for parameter in inspect.signature(method).parameters.values()]


def constants(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of what a file imports, urllib.parse left out: it only reads and writes addresses."""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names if name != "urllib.parse"}
