"""Every port's contract against every adapter, over HTTP to that integration's sandbox."""

from pathlib import Path

import pytest

from app.ports import contract, port_type
from tests.conformance.folders import integration_manifest, own_methods, served
from tests.harness.contracts import collect_samples, on_stage

CASES = [
    pytest.param(integration, serves, index, id=f"{integration}-{serves}-{check.name}")
    for integration, serves in served()
    for index, check in enumerate(contract(serves))
]


@pytest.mark.parametrize(("integration", "serves", "index"), CASES)
async def test_keeps_the_ports_promise(integration: str, serves: str, index: int, tmp_path: Path) -> None:
    async with on_stage(integration_manifest(integration), serves, tmp_path) as stage:
        await contract(serves)[index].run(stage.adapter, stage.bench)


@pytest.mark.parametrize(("integration", "serves"), served())
async def test_the_contract_calls_every_method_and_every_operation(
    integration: str, serves: str, tmp_path: Path
) -> None:
    """A method the backend has nothing for is refused without a call; an operation that nobody makes is dead."""
    manifest = integration_manifest(integration)
    async with on_stage(manifest, serves, tmp_path) as stage:
        samples = await collect_samples(stage, serves)
        made = set(stage.client.operations)
    assert samples
    assert set(samples) <= set(own_methods(port_type(serves)))
    if len(manifest.serves) == 1:
        assert made == set(manifest.operations)
