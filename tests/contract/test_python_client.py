"""A Python client made from the document by openapi-python-client: without a warning, and used to log in and ask."""

import asyncio
import importlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import ROOT
from tests.harness.cases import PDF, new_key
from tests.harness.people import PASSWORD, Citizen
from tests.harness.product import Api, Sandboxes

CONFIG = ROOT / "tests" / "contract" / "openapi-python-client.yml"
NAME = "loket_client_made_for_a_test"

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
def made(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the generated package, importable. Raises AssertionError with what the generator warns of."""
    folder = tmp_path_factory.mktemp("client")
    document = folder / "openapi.json"
    document.write_bytes(httpx.get(f"{api.url}/openapi.json").content)
    tools = Path(sys.executable).parent
    arguments: list[str | Path] = [
        "--path",
        document,
        "--output-path",
        folder / NAME,
        "--config",
        CONFIG,
        "--meta",
        "none",
    ]
    told: subprocess.CompletedProcess[str] = subprocess.run(
        [tools / "openapi-python-client", "generate", "--fail-on-warning", *arguments],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "WARNING" not in told.stdout + told.stderr
    sys.path.insert(0, str(folder))
    yield folder / NAME
    sys.path.remove(str(folder))


def part(name: str) -> Any:
    """A module of the generated package; typed for whoever generates it, and not for us."""
    return importlib.import_module(f"{NAME}.{name}")


async def test_logs_in_reads_and_opens(made: Path, api: Api, citizen: Citizen, sandboxes: Sandboxes) -> None:
    models = part("models")
    anybody = part("client").Client(base_url=api.url, raise_on_unexpected_status=True)

    asked = await part("api.login.start_login").asyncio(
        client=anybody, body=models.SessionRequest(nik=citizen.person.nik, password=PASSWORD)
    )
    code = await code_sent_to(citizen.person.phone, sandboxes)
    tokens = await part("api.login.answer_challenge").asyncio(
        asked.challenge_id, client=anybody, body=models.OtpAnswer(method="otp", code=code)
    )
    mine = part("client").AuthenticatedClient(
        base_url=api.url, token=tokens.access_token, raise_on_unexpected_status=True
    )

    me = await part("api.me.get_me").asyncio(client=mine)
    assert me.assurance_level == 2
    found = await part("api.catalogue.list_services").asyncio(client=mine, q="reklame")
    service = await part("api.catalogue.read_service").asyncio(found.items[0].slug, client=mine, accept_language="en")
    upload = models.Upload(part("types").File(io.BytesIO(PDF), "berkas.pdf", "application/pdf"))
    sent = await part("api.attachments.send_attachment").asyncio(client=mine, body=upload, idempotency_key=new_key())
    form = {**service.form.schema["examples"][0], "documents": str(sent.id)}
    opened = await part("api.cases.open_case").asyncio_detailed(
        client=mine,
        body=models.NewCase(service=service.slug, form=models.NewCaseForm.from_dict(form)),
        idempotency_key=new_key(),
    )
    assert opened.status_code == 202
    read = await part("api.cases.read_case").asyncio(opened.parsed.id, client=mine)
    assert read.form.to_dict() == form
    assert read.timeline[0].status == "submitted"


async def test_a_refusal_is_typed_too(made: Path, api: Api) -> None:
    nobody = part("client").Client(base_url=api.url, raise_on_unexpected_status=True)
    answer = await part("api.catalogue.read_service").asyncio("nothing-of-ours", client=nobody)
    assert isinstance(answer, part("models").Problem)
    assert answer.code == "service_unknown"


async def code_sent_to(phone: str, sandboxes: Sandboxes) -> str:
    """The one-time code that the message gateway's sandbox was asked to send."""
    async with sandboxes.bench("fonnte") as bench:
        for _ in range(100):
            for effect in await bench.ledger():
                if effect.data["target"] == phone.removeprefix("+"):
                    return str(re.findall(r"\b\d{6}\b", str(effect.data["message"]))[0])
            await asyncio.sleep(0.1)
    raise AssertionError("no code was sent")
