"""Every promise of a port, kept by every adapter in every way in which installed copies of its backend differ.

The matrix is made from the sandboxes' own lists: a new quirk, check or integration is held to it unasked.
"""

import ast
import asyncio
import inspect
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.discovery import sandbox_classes
from app.errors import AgencyError, AgencyUnavailable
from app.ports import contract
from app.sandbox.port import Check, ContractBroken
from tests.conformance.folders import integration_manifest, served
from tests.harness.contracts import Sample, collect_samples, on_stage
from tests.harness.source import PRODUCT, read

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
USABLE = [each for each in WAYS if each[2] not in SANDBOXES[each[0]].hopeless]
HOPELESS = [each for each in WAYS if each[2] in SANDBOXES[each[0]].hopeless]
SAMPLES: dict[tuple[str, str], Sequence[Sample]] = {}
QUIRKY = sorted({integration for integration, _, _ in WAYS})


def named(value: object) -> str:
    """`status=broken` for a quirk's way."""
    return "=".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(("integration", "serves", "odd"), USABLE, ids=named)
async def test_keeps_the_ports_promises(integration: str, serves: str, odd: tuple[str, str], tmp_path: Path) -> None:
    """All checks at once, each before a sandbox of its own: most of their time is waiting out what hangs."""

    async def broken(check: Check[Any], folder: Path) -> str:
        async with on_stage(integration_manifest(integration), serves, folder) as stage:
            await stage.bench.quirks(**dict([odd]))
            try:
                await check.run(stage.adapter, stage.bench)
            except (ContractBroken, AgencyError) as error:
                return f"{check.name}: {error!r}"
        return ""

    checks = contract(serves)
    found = await asyncio.gather(*(broken(check, tmp_path / str(at)) for at, check in enumerate(checks)))
    assert checks
    assert [each for each in found if each] == []


@pytest.mark.parametrize(("integration", "serves", "odd"), HOPELESS, ids=named)
async def test_what_cannot_be_asked_is_unavailable_and_does_nothing(
    integration: str, serves: str, odd: tuple[str, str], tmp_path: Path
) -> None:
    samples = await samples_of(integration, serves, tmp_path / "samples")
    async with on_stage(integration_manifest(integration), serves, tmp_path) as stage:
        await stage.bench.quirks(**dict([odd]))
        before = len(await stage.bench.ledger())
        for sample in samples:
            with pytest.raises(AgencyUnavailable):
                await getattr(stage.adapter, sample.method)(*sample.arguments, **sample.named)
        assert samples
        assert len(await stage.bench.ledger()) == before


async def samples_of(integration: str, serves: str, folder: Path) -> Sequence[Sample]:
    """Calls that go well at a healthy copy, learnt once: where nothing can be asked it is the same which they are."""
    if (integration, serves) not in SAMPLES:
        async with on_stage(integration_manifest(integration), serves, folder) as stage:
            SAMPLES[integration, serves] = tuple((await collect_samples(stage, serves)).values())
    return SAMPLES[integration, serves]


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
        for folder in _folders(integration)
        for path in folder.glob("*.py")
        for node in ast.walk(read(path).tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    assert not [quirk for quirk in SANDBOXES[integration].quirks if named[quirk] < 2]


def _folders(integration: str) -> set[Path]:
    """Its own, and that of the standard whose quirks it has."""
    kinds = (kind for kind in SANDBOXES[integration].__mro__ if kind.__module__.split(".")[0] in PRODUCT[1:])
    return {Path(inspect.getfile(kind)).parent for kind in kinds}
