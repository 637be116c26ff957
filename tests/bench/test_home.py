"""What `make bench-home` measures is a home whose six sources each had their answer from the agency."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.home_api import SOURCES, with_sources
from bench.processes import free_port, running
from tests.harness.people import People
from tests.harness.product import Api, running_api


@pytest.fixture(scope="module")
def api(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    port, log = free_port(), Path(tmp_path_factory.mktemp("log")) / "agency.log"
    with running(["-m", "bench.agency", str(port), "0.005"], log=log, port=port):
        environment["LOKET_SICANTIK_URL"] = f"http://127.0.0.1:{port}"
        with running_api(environment, with_sources) as served:
            yield served


async def test_all_six_are_asked_each_time(people: People) -> None:
    citizen, names = await people.make(), [f"source_{at}.bills" for at in range(SOURCES)]
    parts: list[dict[str, Any]] = [{"state": "late"}]
    async with asyncio.timeout(60):
        while {part["state"] for part in parts} != {"fresh"}:
            parts = (await citizen.get("/v1/home")).json()["parts"]
            assert [part["name"] for part in parts] == ["cases", "messages", *names]
    assert {part["items"][0]["title"] for part in parts[2:]} == {"Izin Penyelenggaraan Reklame"}
