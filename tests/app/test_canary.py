"""A whole path at the most talkative log level, and every process's output searched for what must never stand there."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from app.database import Database
from app.privacy import open_vault
from app.settings import read_settings
from tests.app.login.journey import PASSWORD, Journey, somebody
from tests.harness.cases import PDF, SERVICE, advertising, new_key
from tests.harness.product import Api, Running, Sandboxes

SECRET_WORDS = "Reklame Kopi Rahasia Nusantara"
FILE_NAME = "ktp-rahasia-sekali.pdf"


@pytest.fixture(scope="module")
def processes(
    environment: dict[str, str], sandboxes: Sandboxes, start_process: Callable[..., Running]
) -> list[Running]:
    """API and worker as processes, at the level that says most."""
    started = [start_process(command, LOKET_LOG_LEVEL="debug") for command in ("serve", "work")]
    started[0].wait_for("Uvicorn running")
    started[1].wait_for("worker ready")
    return started


@pytest.fixture(scope="module")
async def journey(environment: dict[str, str], processes: list[Running]) -> AsyncIterator[Journey]:
    settings = read_settings(environment)
    database = Database(settings.database_url, pool_size=2, name="test")
    yield Journey(Api(settings), database, open_vault(settings))
    await database.close()


async def code_sent(sandboxes: Sandboxes, phone: str) -> str:
    """The one-time code as it arrived at the WhatsApp gateway."""
    async with sandboxes.bench("fonnte") as gateway:
        for _ in range(200):
            for effect in reversed(await gateway.ledger()):
                told = msgspec.json.encode(effect.data).decode()
                digits = [word for word in told.replace(".", " ").split() if len(word) == 6 and word.isdigit()]
                if phone.lstrip("+") in told and digits:
                    return digits[0]
            await asyncio.sleep(0.05)
    raise AssertionError("no code arrived")


async def test_nothing_personal_in_any_log(journey: Journey, processes: list[Running], sandboxes: Sandboxes) -> None:
    person = somebody("Canary Prameswari")
    secrets = [person.nik, person.name, "Prameswari", PASSWORD, SECRET_WORDS, FILE_NAME, person.phone]
    secrets += [person.phone.lstrip("+"), "0" + person.phone.removeprefix("+62")]
    async with journey.api.client() as client:
        started = await journey.start_registration(client, person)
        code = await code_sent(sandboxes, person.phone)
        tokens = (await journey.confirm(client, started.json()["registration_id"], code)).json()
        refreshed = (await journey.refresh(client, tokens["refresh_token"])).json()
        secrets += [code, tokens["access_token"], tokens["refresh_token"], refreshed["access_token"]]
        secrets += [token.split(".")[2] for token in (tokens["access_token"], refreshed["access_token"])]
        # What people do wrong: identifiers in addresses, in wrong bodies, as passwords, as tokens.
        await journey.ask_code(client, person.nik, person.nik)
        await client.get(f"/v1/nothing/{person.nik}?phone={person.phone}")
        await client.get("/v1/permits/check", params={"number": person.nik})
        await client.get("/v1/me", headers={"Authorization": f"Bearer {tokens['access_token']}x"})
        await client.post("/v1/login/registrations", json={"nik": person.nik, "surname": person.name})
        await client.post("/v1/login/sessions", content=f'{{"nik": "{person.nik}", "password": "{PASSWORD}"')
    async with journey.api.client(refreshed["access_token"]) as citizen:
        files = {"file": (FILE_NAME, PDF, "application/pdf")}
        sent = await citizen.post("/v1/attachments", files=files, headers={"Idempotency-Key": new_key()})
        form = advertising(sent.json()["id"], advert_text=SECRET_WORDS)
        body = {"service": SERVICE, "form": form}
        opened = await citizen.post("/v1/cases", json=body, headers={"Idempotency-Key": new_key()})
        assert opened.status_code == 202, opened.text
        secrets += [SECRET_WORDS, sent.json()["sha256"]]
        case = opened.json()
        for _ in range(150):
            if (await citizen.get(case["links"]["self"])).json()["delivery"]["state"] == "delivered":
                break
            await asyncio.sleep(0.1)
        await citizen.post(case["links"]["withdraw"], json={"reason": SECRET_WORDS})
        await citizen.post("/v1/login/logout")
    async with sandboxes.bench("sicantik") as agency:
        assert any(person.name in str(effect.data) for effect in await agency.ledger())
    await asyncio.sleep(1)
    for process in processes:
        output = process.log.read_bytes()
        assert output.count(b"\n") > 1, "an empty log proves nothing"
        assert [secret for secret in secrets if secret.encode() in output] == []
