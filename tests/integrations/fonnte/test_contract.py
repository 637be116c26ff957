"""Every check of the channel port against this adapter, over HTTP to its sandbox."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.inbox.contract import CHECKS
from app.inbox.port import Channel
from app.manifest import integration_manifests
from app.sandbox.client import hurried
from app.sandbox.port import Check
from tests.harness.contracts import Stage, on_stage


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("ledgers")
    async with on_stage(hurried(integration_manifests()["fonnte"], 0.6), "inbox", folder) as running:
        yield running


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
async def test_keeps_the_contract(stage: Stage, check: Check[Channel]) -> None:
    await stage.bench.reset()
    await check.run(stage.adapter, stage.bench)
