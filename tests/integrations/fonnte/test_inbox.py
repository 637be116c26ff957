"""What Fonnte's words mean to us, and what its sandbox says in its own protocol."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import aiohttp.web
import msgspec
import pytest

from app.agency_client import AgencyClient
from app.errors import AgencyError, AgencyRejected, AgencyUnavailable, OutcomeUnknown
from app.manifest import integration_manifests
from app.settings import BackendSettings
from integrations.fonnte.inbox import FonnteWhatsApp
from tests.harness.contracts import Stage, on_stage

OK = {"status": True, "id": ["80367170"], "process": "pending", "detail": "success! message in queue"}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with on_stage(integration_manifests()["fonnte"], "inbox", tmp_path) as running:
        yield running


@pytest.fixture
async def gateway() -> AsyncIterator[Any]:
    """`await gateway(status, body)`: a channel before a gateway that answers just that."""
    runners: list[aiohttp.web.AppRunner] = []
    clients: list[AgencyClient] = []

    async def answering(status: int, body: bytes) -> FonnteWhatsApp:
        async def answer(_request: aiohttp.web.Request) -> aiohttp.web.Response:
            return aiohttp.web.Response(status=status, body=body, content_type="application/json")

        app = aiohttp.web.Application()
        app.router.add_post("/send", answer)
        runners.append(aiohttp.web.AppRunner(app))
        await runners[-1].setup()
        await aiohttp.web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        manifest = integration_manifests()["fonnte"]
        url = f"http://127.0.0.1:{runners[-1].addresses[0][1]}"
        clients.append(AgencyClient(manifest, BackendSettings("fonnte", url, dict(manifest.credentials))))
        return FonnteWhatsApp(clients[-1])

    yield answering
    for client in clients:
        await client.close()
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"status": False, "reason": "target invalid"}, AgencyRejected),
        (200, {"Status": False, "reason": "input invalid"}, AgencyRejected),
        (200, {"status": False, "reason": "token invalid"}, AgencyUnavailable),
        (200, {"status": False, "reason": "insufficient quota"}, AgencyUnavailable),
        (200, {"status": False, "reason": "request invalid on disconnected device"}, AgencyUnavailable),
        (401, {"error": "unauthorized"}, AgencyUnavailable),
        (404, {}, AgencyUnavailable),
        (302, {}, AgencyUnavailable),
        (200, {"status": True}, OutcomeUnknown),
        (200, {"status": "true", "id": ["1"]}, OutcomeUnknown),
        (200, [OK], OutcomeUnknown),
        (500, OK, OutcomeUnknown),
    ],
)
async def test_what_its_words_mean(gateway: Any, status: int, body: object, expected: type[AgencyError]) -> None:
    channel = await gateway(status, msgspec.json.encode(body))
    with pytest.raises(expected):
        await channel.send("+6281234567801", "Kode Anda 123456", "message-1")


async def test_success_gives_its_id(gateway: Any) -> None:
    channel = await gateway(200, msgspec.json.encode(OK))
    assert await channel.send("+6281234567801", "Kode Anda 123456", "message-1") == "80367170"


async def test_a_developer_reads_the_code_in_the_ledger(stage: Stage) -> None:
    identity = await stage.adapter.send("+6281234567801", "Kode Anda 123456", "message-1")
    [effect] = await stage.bench.ledger()
    assert effect.reference == "message-1"
    assert effect.data == {"id": identity, "target": "6281234567801", "message": "Kode Anda 123456"}


async def test_a_text_cannot_call_up_variables(stage: Stage) -> None:
    await stage.adapter.send("+6281234567801", "Halo {name}", "message-1")
    [effect] = await stage.bench.ledger()
    assert effect.data["message"] == "Halo (name)"


@pytest.mark.parametrize(
    ("headers", "data", "reason"),
    [
        ({}, {"target": "0812345678", "message": "x"}, "token invalid"),
        ({"Authorization": "Bearer demo-fonnte-token"}, {"target": "0812345678", "message": "x"}, "token invalid"),
        ({"Authorization": "demo-fonnte-token"}, {"target": "12", "message": "x"}, "target invalid"),
        ({"Authorization": "demo-fonnte-token"}, {"target": "0812345678"}, "input invalid"),
    ],
)
async def test_the_sandbox_refuses_with_status_200(
    stage: Stage, headers: dict[str, str], data: dict[str, str], reason: str
) -> None:
    url = stage.client.backend.url + "/send"
    async with aiohttp.ClientSession() as http, http.post(url, headers=headers, data=data) as response:
        assert response.status == 200
        assert await response.json() == {"reason": reason, "status": False}
    assert await stage.bench.ledger() == []


async def test_the_sandbox_takes_json_and_several_targets(stage: Stage) -> None:
    url = stage.client.backend.url + "/send"
    body = {"target": "0812345678,628129999999", "message": "Halo", "countryCode": "62"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, headers={"Authorization": "demo-fonnte-token"}, json=body) as response,
    ):
        answer = await response.json()
    assert answer["status"] is True
    assert answer["target"] == ["62812345678", "628129999999"]
    assert len(set(answer["id"])) == 2
    assert len(await stage.bench.ledger()) == 2
