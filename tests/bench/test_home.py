"""What `make bench-home` measures is a home whose six sources each had their answer from the agency."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.home import gathering
from bench.home_api import SOURCES, with_sources
from bench.processes import free_port, running
from tests.harness.people import People
from tests.harness.product import Api, running_api


@pytest.fixture(scope="module")
def api(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    port, log = free_port(), Path(tmp_path_factory.mktemp("log")) / "agency.log"
    with (
        running(["-m", "bench.agency", str(port), "0.005"], log=log, port=port),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("LOKET_SICANTIK_URL", f"http://127.0.0.1:{port}")
        with running_api(environment, with_sources) as served:
            yield served


async def test_all_six_are_asked_each_time(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "ANSWER_AFTER_S", 60.0)
    citizen = await people.make()
    parts = (await citizen.get("/v1/home")).json()["parts"]
    assert [part["name"] for part in parts] == [
        "cases",
        "messages",
        *(f"source_{at}.bills" for at in range(SOURCES)),
    ]
    assert {part["state"] for part in parts} == {"fresh"}, parts
    assert {part["items"][0]["title"] for part in parts[2:]} == {"Izin Penyelenggaraan Reklame"}
