"""The yardsticks do what they are measured for, and the same thing: a cheat here would flatter or wrong the product."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import httpx
import msgspec
import pytest

from bench import ground
from bench.forms import FORM, SERVICE, body
from bench.load import Plan
from bench.measure import Server, run
from bench.operations import OPERATIONS, Person, yardstick_requests
from bench.processes import free_port, running

# FastAPI comes with `make bench` only; where it is there, it is tested as well.
MODULES = {"floor": "bench.floor"} | ({"fastapi": "bench.fastapi_yardstick"} if find_spec("fastapi") else {})


class Yardsticks(msgspec.Struct, frozen=True):
    servers: dict[str, Server]
    people: list[Person]

    def client(self, name: str, token: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token or self.people[0].token}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.servers[name].port}", headers=headers)


@pytest.fixture(scope="module")
async def yardsticks(
    postgres_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Yardsticks]:
    log = tmp_path_factory.mktemp("bench") / "log"
    laid = await ground.prepare(postgres_url, cases=60, form=json.dumps(FORM))
    agency_port, servers = free_port(), {}
    with ExitStack() as stack:
        stack.enter_context(running(["-m", "bench.agency", str(agency_port), "0"], log=log, port=agency_port))
        for name, module in MODULES.items():
            settings = ground.Settings(free_port(), postgres_url, valkey_url, laid.public_key, agency_port)
            command = ["-m", module, msgspec.json.encode(settings).decode()]
            servers[name] = Server(stack.enter_context(running(command, log=log, port=settings.port)), settings.port)
        yield Yardsticks(servers, [Person(reader.token, reader.cases) for reader in laid.readers])


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("operation", [found for found in OPERATIONS if not found.beside], ids=lambda found: found.key)
async def test_every_operation_is_answered_and_costs_something(
    yardsticks: Yardsticks, name: str, operation: Any
) -> None:
    server = yardsticks.servers[name]
    plan = Plan(server.port, yardstick_requests(operation, yardsticks.people), seconds=0.3, warm_up_s=0, connections=4)
    sample = run(server, plan)
    assert set(sample.outcome.statuses) == {"201" if operation.key == "submit" else "200"}
    assert sample.refused == 0
    assert sum(sample.outcome.statuses.values()) == sample.outcome.sent > 0
    assert 0 < sample.cpu_ms < 1000


@pytest.mark.parametrize("name", MODULES)
async def test_only_the_owner_reads(yardsticks: Yardsticks, name: str) -> None:
    first, second = yardsticks.people[:2]
    async with yardsticks.client(name, second.token) as client:
        assert (await client.get(f"/cases/{first.cases[0]}")).status_code == 404
        assert (await client.get(f"/cases/{second.cases[0]}")).status_code == 200
    async with yardsticks.client(name, first.token[:-4] + "AAAA") as client:
        assert (await client.get("/me")).status_code == 401


@pytest.mark.parametrize("name", MODULES)
async def test_a_submission_is_checked_and_stored(yardsticks: Yardsticks, name: str) -> None:
    content = body(SERVICE, FORM["documents"])
    json_body = {"Content-Type": "application/json"}
    async with yardsticks.client(name) as client:
        refused = await client.post(
            "/cases", content=content.replace(b'"team_size":4', b'"team_size":0'), headers=json_body
        )
        unknown = await client.post("/cases", content=content.replace(b'"kind"', b'"kinds"'), headers=json_body)
        opened = await client.post("/cases", content=content, headers=json_body)
        stored = await client.get(f"/cases/{opened.json()['id']}")
    assert (refused.status_code, unknown.status_code, opened.status_code) == (422, 422, 201)
    timeline = stored.json()["timeline"]
    assert [event["kind"] for event in timeline] == ["submitted"]
    assert 1800 <= len(content) <= 2300


async def test_the_yardsticks_say_the_same(yardsticks: Yardsticks) -> None:
    reader = yardsticks.people[1]
    answers: list[dict[str, Any]] = []
    for name in MODULES:
        async with yardsticks.client(name, reader.token) as client:
            cases = (await client.get("/cases?limit=20")).json()
            case = (await client.get(f"/cases/{reader.cases[0]}")).json()
            licence = (await client.get("/licence?number=NTAz")).json()
        answers.append({"cases": cases, "timeline": case["timeline"], "licence": licence})
    assert len(answers[0]["cases"]["items"]) == 20
    assert len(answers[0]["timeline"]) == 10
    assert answers[0]["licence"]["number"] == "503/0001/REK/2026"
    assert all(msgspec.json.encode(answer) == msgspec.json.encode(answers[0]) for answer in answers[1:])
