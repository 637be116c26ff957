"""Every check of the permits port against this adapter, over HTTP to its sandbox."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.manifest import integration_manifests
from app.sandbox.client import hurried
from app.sandbox.port import Check
from services.permits.contract import CHECKS
from services.permits.port import PermitsPort
from tests.harness.contracts import Stage, on_stage


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("ledgers")
    async with on_stage(hurried(integration_manifests()["sicantik"], 0.6), "permits", folder) as running:
        yield running


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
async def test_keeps_the_contract(stage: Stage, check: Check[PermitsPort]) -> None:
    await stage.bench.reset()
    await check.run(stage.adapter, stage.bench)
