"""Every promise of a port, kept by every adapter in every way in which installed copies of its backend differ.

The matrix is made from the sandboxes' own lists: a new quirk, check or integration is held to it unasked.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest

from app.discovery import sandbox_classes
from app.errors import AgencyUnavailable
from app.ports import contract
from app.sandbox.client import hurried
from app.settings import ROOT
from tests.conformance.folders import integration_manifest, served
from tests.harness.contracts import collect_samples, on_stage
from tests.harness.source import read

# Enough for a sandbox on this machine, and soon over where a check lets it hang.
BUDGET_S = 0.8
# Says at which facility the other quirks hold: none of its own.
SELECTOR = "only"

SANDBOXES = sandbox_classes()
WAYS = [
    (integration, serves, (quirk, way))
    for integration, serves in served()
    for quirk, ways in SANDBOXES[integration].quirks.items()
    for way in ways[1:]
    if quirk != SELECTOR
]
MATRIX = [
    pytest.param(integration, serves, odd, index, id=f"{integration}-{serves}-{'='.join(odd)}-{check.name}")
    for integration, serves, odd in WAYS
    if odd not in SANDBOXES[integration].hopeless
    for index, check in enumerate(contract(serves))
]
HOPELESS = [
    pytest.param(integration, serves, odd, id=f"{integration}-{serves}-{'='.join(odd)}")
    for integration, serves, odd in WAYS
    if odd in SANDBOXES[integration].hopeless
]
QUIRKY = sorted({integration for integration, _, _ in WAYS})


@pytest.mark.parametrize(("integration", "serves", "odd", "index"), MATRIX)
async def test_keeps_the_ports_promise(
    integration: str, serves: str, odd: tuple[str, str], index: int, tmp_path: Path
) -> None:
    async with on_stage(hurried(integration_manifest(integration), BUDGET_S), serves, tmp_path) as stage:
        await stage.bench.quirks(**dict([odd]))
        await contract(serves)[index].run(stage.adapter, stage.bench)


@pytest.mark.parametrize(("integration", "serves", "odd"), HOPELESS)
async def test_what_cannot_be_asked_is_unavailable_and_does_nothing(
    integration: str, serves: str, odd: tuple[str, str], tmp_path: Path
) -> None:
    async with on_stage(hurried(integration_manifest(integration), BUDGET_S), serves, tmp_path) as stage:
        samples = await collect_samples(stage, serves)
        await stage.bench.quirks(**dict([odd]))
        before = len(await stage.bench.ledger())
        for sample in samples.values():
            with pytest.raises(AgencyUnavailable):
                await getattr(stage.adapter, sample.method)(*sample.arguments, **sample.named)
        assert samples
        assert len(await stage.bench.ledger()) == before


@pytest.mark.parametrize("integration", QUIRKY)
def test_a_quirk_has_a_usual_way_and_others(integration: str) -> None:
    quirks = SANDBOXES[integration].quirks
    for quirk, ways in quirks.items():
        assert len(ways) > 1, quirk
        assert len(set(ways)) == len(ways), quirk
    assert all(way in quirks[quirk][1:] for quirk, way in SANDBOXES[integration].hopeless)


@pytest.mark.parametrize("integration", QUIRKY)
def test_every_quirk_does_something(integration: str) -> None:
    """Its name stands somewhere beside the list."""
    named = Counter(
        node.value
        for path in (ROOT / "integrations" / integration).glob("*.py")
        for node in ast.walk(read(path).tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    assert not [quirk for quirk in SANDBOXES[integration].quirks if named[quirk] < 2]
