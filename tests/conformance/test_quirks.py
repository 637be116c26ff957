"""Every promise of a port, kept by every adapter in every way in which installed copies of its backend differ.

The matrix is made from the sandboxes' own lists: a new quirk, check or integration is held to it unasked.
"""

import ast
from pathlib import Path

import pytest

from app.discovery import sandbox_classes
from app.ports import contract
from app.sandbox.client import hurried
from app.settings import ROOT
from tests.conformance.folders import integration_manifest, served
from tests.harness.contracts import on_stage
from tests.harness.source import read

# Enough for a sandbox on this machine, and soon over where a check lets it hang.
BUDGET_S = 0.8

WAYS = [
    (integration, quirk, way)
    for integration, sandbox in sandbox_classes().items()
    for quirk, ways in sandbox.quirks.items()
    for way in ways[1:]
]
MATRIX = [
    pytest.param(integration, serves, (quirk, way), index, id=f"{integration}-{serves}-{quirk}={way}-{check.name}")
    for integration, serves in served()
    for owner, quirk, way in WAYS
    if owner == integration
    for index, check in enumerate(contract(serves))
]
QUIRKY = sorted({integration for integration, _, _ in WAYS})


@pytest.mark.parametrize(("integration", "serves", "odd", "index"), MATRIX)
async def test_keeps_the_ports_promise(
    integration: str, serves: str, odd: tuple[str, str], index: int, tmp_path: Path
) -> None:
    async with on_stage(hurried(integration_manifest(integration), BUDGET_S), serves, tmp_path) as stage:
        await stage.bench.quirks(**dict([odd]))
        await contract(serves)[index].run(stage.adapter, stage.bench)


@pytest.mark.parametrize("integration", QUIRKY)
def test_a_quirk_has_a_usual_way_and_others(integration: str) -> None:
    for quirk, ways in sandbox_classes()[integration].quirks.items():
        assert len(ways) > 1, quirk
        assert len(set(ways)) == len(ways), quirk


@pytest.mark.parametrize("integration", QUIRKY)
def test_every_quirk_does_something(integration: str) -> None:
    """It is looked at somewhere beside the list itself."""
    trees = [read(path).tree for path in (ROOT / "integrations" / integration).glob("*.py")]
    looked_at = {
        node.slice.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
    }
    assert not set(sandbox_classes()[integration].quirks) - looked_at
