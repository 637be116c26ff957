"""F45 and I18: the whole product flooded with people who must be seen nowhere, and every output searched byte by byte.

Outputs: what API, worker and commands print at their most talkative level, metrics, traces, everything answered with an
error and everything answered to others, Valkey, every column of PostgreSQL that is not encrypted, its log, the data
folder.
"""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from app.database import Database, driver_url
from app.privacy import open_vault
from app.settings import read_settings
from integrations.dtsen.households import population
from tests.app.login.journey import PASSWORD, WRONG_PASSWORD, Journey, somebody
from tests.harness import aid, canaries, tickets
from tests.harness.canaries import Canary
from tests.harness.cases import PDF, SERVICE, advertising, new_key
from tests.harness.collector import Collected, collecting
from tests.harness.officers import Officers
from tests.harness.people import People
from tests.harness.photos import photo
from tests.harness.product import Api, Running, Sandboxes, free_port

# Every module and every way to fail, one after another.
pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 60
FORM_WORDS = "Spanduk Kerupuk Rahasia Wilis"
FILE_NAME = "akta-keluarga-canaria.pdf"
QUESTION, ANSWER = "Apakah Canaria sudah menikah lagi?", "Belum, masih bersama Pak Bambang Canaria"
COMPLAINT = "Batuk berdarah sejak Lebaran kemarin"
REASON, COMMENT = "Pindah rumah karena Cerai Canaria", "Petugas Canaria sangat ramah"

OFFICERS_REASON = "Ibu Canaria sudah menelepon dinas"
AID_REASON = "Suami Canaria di-PHK dan anak berhenti sekolah"
# Of the register of aid: nobody of it has an account here but the one who asks.
HOUSEHOLD = next(each for each in population()[10:] if each.decile == 1 and len(each.members) >= 3)

SECRET_WORDS = (
    *(PASSWORD, WRONG_PASSWORD, FORM_WORDS, FILE_NAME, COMPLAINT),
    *(QUESTION, ANSWER, REASON, COMMENT, OFFICERS_REASON, AID_REASON),
)


class Flood(msgspec.Struct):
    """What the flood has made: secrets, and answers that others or everybody saw."""

    journey: Journey
    officers: Officers
    people: People
    sandboxes: Sandboxes
    secrets: list[Canary]
    errors: bytearray
    others: bytearray
    officers_saw: bytearray

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """A client whose errors are kept for the search, the caller's own too."""
        client = self.journey.api.client(token)
        client.event_hooks["response"].append(self._keep_error)
        return client

    async def _keep_error(self, response: httpx.Response) -> None:
        if response.status_code >= 400:
            self.errors.extend(await response.aread() + b"\n" + repr(response.headers.raw).encode() + b"\n")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collected]:
    with collecting() as collected:
        yield collected


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], collector: Collected) -> dict[str, str]:
    """Every request and job is traced."""
    return environment | {"LOKET_OTLP_URL": collector.url, "LOKET_TRACE_RATIO": "1"}


@pytest.fixture(scope="module")
def processes(
    environment: dict[str, str], sandboxes: Sandboxes, start_process: Callable[..., Running]
) -> list[Running]:
    """API and worker as processes, at the level that says most, with their metrics served."""
    port = str(free_port())
    started = []
    for command, ready in (("serve", "startup complete"), ("work", "worker ready")):
        started.append(start_process(command, LOKET_LOG_LEVEL="debug", LOKET_METRICS_PORT=port))
        started[-1].wait_for(ready)
    return started


@pytest.fixture(scope="module")
async def flood(environment: dict[str, str], processes: list[Running], sandboxes: Sandboxes) -> AsyncIterator[Flood]:
    settings = read_settings(environment)
    api = Api(settings)
    database = Database(settings.database_url, pool_size=2, name="test")
    journey = Journey(api, database, open_vault(settings))
    assert processes
    async with Officers(api) as officers, People(api) as people:
        yield Flood(journey, officers, people, sandboxes, [], bytearray(), bytearray(), bytearray())
    await database.close()


async def code_sent(sandboxes: Sandboxes, phone: str) -> str:
    """The newest one-time code as it arrived at the gateway."""
    async with asyncio.timeout(PATIENCE_S), sandboxes.bench("fonnte") as gateway:
        while True:
            for effect in reversed(await gateway.ledger()):
                told = msgspec.json.encode(effect.data).decode()
                found = [word for word in told.replace(".", " ").split() if len(word) == 6 and word.isdigit()]
                if phone.lstrip("+") in told and found:
                    return found[0]
            await asyncio.sleep(0.05)


async def entered(flood: Flood, name: str) -> httpx.AsyncClient:
    """A canary registers and logs in, with every mistake there is; a client with their token."""
    person = somebody(name)
    flood.secrets += canaries.of_person(person)
    async with flood.client() as client:
        started = await flood.journey.start_registration(client, person)
        assert started.status_code == 202, started.text
        code = await code_sent(flood.sandboxes, person.phone)
        flood.secrets.append(canaries.code(f"code of {name}", code))
        identity = started.json()["registration_id"]
        await flood.journey.confirm(client, identity, "000000" if code != "000000" else "000001")
        confirmed = await flood.journey.confirm(client, identity, code)
        assert confirmed.status_code == 201, confirmed.text
        tokens = confirmed.json()
        refreshed = (await flood.journey.refresh(client, tokens["refresh_token"])).json()
        for told in (tokens, refreshed):
            for kind in ("access_token", "refresh_token"):
                flood.secrets.append(canaries.words(f"{kind} of {name}", told[kind]))
            flood.secrets.append(canaries.words(f"signature of {name}", told["access_token"].split(".")[2]))
        await flood.journey.start_registration(client, person)
        await flood.journey.ask_code(client, person.nik, WRONG_PASSWORD)
        await mistakes(client, person.nik, person.phone, person.name, tokens["access_token"])
    return flood.client(refreshed["access_token"])


async def mistakes(client: httpx.AsyncClient, nik: str, phone: str, name: str, token: str) -> None:
    """What people do wrong: secrets in addresses, headers, wrong bodies, wrong fields."""
    await client.get(f"/v1/nothing/{nik}", params={"phone": phone, "name": name})
    await client.get("/v1/services", params={"q": f"{name} {nik}", "limit": nik})
    await client.get("/v1/permits/check", params={"number": nik})
    await client.get(f"/v1/cases/{nik}", headers={"Authorization": f"Bearer {token}x"})
    await client.get("/v1/me", headers={"Authorization": f"Bearer {token}", "X-Request-ID": f"{nik}-{name}"})
    traced = {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01", "tracestate": f"portal={nik}"}
    await client.get(f"/v1/cases/{nik}", headers={"Authorization": f"Bearer {token}", **traced})
    await client.get("/v1/me", headers={"Authorization": f"Basic {PASSWORD}", "Accept-Language": name})
    await client.post("/v1/login/registrations", json={"nik": nik, "surname": name, nik: phone})
    await client.post("/v1/login/sessions", json={"nik": PASSWORD, "password": nik})
    await client.post("/v1/login/sessions", content=f'{{"nik": "{nik}", "password": "{PASSWORD}"')
    await client.post("/v1/login/refresh", json={"refresh_token": token})
    await client.post("/v1/login/sessions", content=b"[" * 5000, headers={"Content-Type": "application/json"})


async def handed_in(citizen: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    opened = await citizen.post("/v1/cases", json=body, headers={"Idempotency-Key": new_key()})
    assert opened.status_code in (201, 202), opened.text
    shown: dict[str, Any] = opened.json()
    return shown


async def permit(citizen: httpx.AsyncClient) -> dict[str, Any]:
    files = {"file": (FILE_NAME, PDF, "application/pdf")}
    sent = await citizen.post("/v1/attachments", files=files, headers={"Idempotency-Key": new_key()})
    assert sent.status_code == 201, sent.text
    form = advertising(sent.json()["id"], advert_text=FORM_WORDS)
    refused = {**form, "width_m": FORM_WORDS, "unknown": FORM_WORDS}
    await citizen.post("/v1/cases", json={"service": SERVICE, "form": refused}, headers={"Idempotency-Key": new_key()})
    return await handed_in(citizen, {"service": SERVICE, "form": form})


async def stands(citizen: httpx.AsyncClient, case: dict[str, Any], *states: str) -> None:
    """Until the delivery is in one of `states`."""
    async with asyncio.timeout(PATIENCE_S):
        while (await citizen.get(case["links"]["self"])).json()["delivery"]["state"] not in states:  # noqa: ASYNC110 -- a worker's work
            await asyncio.sleep(0.1)


async def test_floods_every_module_and_every_way_to_fail(flood: Flood, start_process: Callable[..., Running]) -> None:
    flood.secrets += [canaries.words(each, each) for each in SECRET_WORDS]
    async with await entered(flood, "Canaria Prameswari Sukmawijaya") as citizen:
        case = await permit(citizen)
        await stands(citizen, case, "delivered")
        asked = start_process("cases", "ask", case["number"], QUESTION, "--officer", "petugas.uji")
        assert asked.process.wait(PATIENCE_S) == 0, asked.output()
        await citizen.post(case["links"]["self"] + "/answers", json={"answer": ANSWER})
        assert ANSWER in (await citizen.get(case["links"]["self"])).text
        await citizen.post(case["links"]["withdraw"], json={"reason": REASON})
        await citizen.post(case["links"]["self"] + "/rating", json={"score": 5, "comment": COMMENT})
        assert QUESTION in (await citizen.get("/v1/inbox")).text
        ticket = {"service": tickets.SERVICE, "form": tickets.ticket_form(complaint=COMPLAINT)}
        shown = await handed_in(citizen, ticket)
        await citizen.post("/v1/cases", json=ticket, headers={"Idempotency-Key": new_key()})
        await citizen.post(shown["links"]["withdraw"], json={"reason": REASON})
    for name, mode in (("Lastri", "error_503"), ("Wagiman", "bad_auth"), ("Sumirah", "malformed")):
        async with await entered(flood, f"Canaria {name} Tjokroaminoto") as citizen:
            await under_fault(flood, citizen, mode)
    await flood_aid(flood)
    await flood_officers(flood)


async def flood_aid(flood: Flood) -> None:
    """A household looks at its aid, also while the bus refuses us, objects with a photo, is visited and refused."""
    flood.secrets.append(canaries.digits("family card", HOUSEHOLD.family_card))
    for member in HOUSEHOLD.members:
        flood.secrets += [
            canaries.digits(f"NIK of {member.name}", member.nik),
            canaries.words(member.name, member.name),
        ]
    head = HOUSEHOLD.members[0]
    token = (await flood.people.make(nik=head.nik, name=head.name)).token
    async with flood.client(token) as citizen, flood.sandboxes.bench("dtsen") as agency:
        for ways in ({"subscription": "scope_missing", "faults": "xml"}, {"throttling": "without_a_time"}):
            await agency.quirks(**ways)
            assert (await citizen.get("/v1/social-aid/entitlements")).status_code == 503
        await agency.quirks()
        async with asyncio.timeout(PATIENCE_S):
            # What was asked in vain rests for a while.
            while head.name not in (await citizen.get("/v1/social-aid/entitlements")).text:  # noqa: ASYNC110 -- no event
                await asyncio.sleep(0.2)
        files = {"file": (FILE_NAME, photo(), "image/jpeg")}
        sent = await citizen.post("/v1/attachments", files=files, headers={"Idempotency-Key": new_key()})
        pictures = {"with_photos": "yes", "photo_front": sent.json()["id"], "photo_consent": True}
        for service, form, step in (
            ("aid-objection", aid.objection(reason=AID_REASON, **pictures), "reject"),
            ("decile-certificate", aid.certificate(for_name=HOUSEHOLD.members[1].name), "accept"),
        ):
            await agency.fault("lost_answer", ["submit"])
            case = await handed_in(citizen, {"service": service, "form": form})
            await tried(flood, case)
            await agency.heal()
            await stands(citizen, case, "delivered")
            await agency.work(case["number"], "visited")
            await citizen.get(f"/v1/social-aid/matters/{case['id']}")
            await agency.work(case["number"], step)
            await citizen.get(f"/v1/social-aid/matters/{case['id']}")
            await citizen.get(f"/v1/social-aid/matters/{case['id']}/certificate")
        wrong = {"number": head.nik, "code": "A" * 20}
        await citizen.get("/v1/social-aid/certificates/check", params=wrong)
        await citizen.get(f"/v1/social-aid/matters/{head.nik}")
        await citizen.get("/v1/social-aid/programmes", params={"nik": head.nik})


async def under_fault(flood: Flood, citizen: httpx.AsyncClient, mode: str) -> None:
    """A case whose agency answers badly, until it has been tried."""
    async with flood.sandboxes.bench("sicantik") as agency:
        await agency.fault(mode)
        try:
            case = await permit(citizen)
            await tried(flood, case)
        finally:
            await agency.heal()
    if mode != "malformed":
        # Its door is open again for the next; after a malformed answer the outcome is unknown, and looked up later.
        await stands(citizen, case, "delivered")


async def tried(flood: Flood, case: dict[str, Any]) -> None:
    """Until a try at the agency has ended."""
    ended = "SELECT count(*) FROM delivery_attempts JOIN deliveries ON deliveries.id = delivery_id "
    ended += "WHERE case_id = $1 AND delivery_attempts.finished_at IS NOT NULL"
    async with asyncio.timeout(PATIENCE_S), flood.journey.database.connection() as connection:
        while not await connection.fetchval(ended, UUID(case["id"])):  # noqa: ASYNC110 -- a worker's work
            await asyncio.sleep(0.1)


async def flood_officers(flood: Flood) -> None:
    """Officers look and act; a stranger looks where they should not."""
    for agency in ("dpmptsp", "dinsos"):
        await officer_looks(flood, agency)
    stranger = await flood.people.make(name="Tetangga Biasa")
    for path in ("/v1/me", "/v1/cases", "/v1/inbox", "/v1/services?q=reklame", "/v1/social-aid/entitlements"):
        flood.others += (await stranger.get(path)).content
    async with asyncio.timeout(PATIENCE_S), flood.journey.database.connection() as connection:
        for row in await connection.fetch("SELECT id FROM cases"):
            flood.others += (await stranger.get(f"/v1/cases/{row['id']}")).content
            flood.others += (await stranger.get(f"/v1/social-aid/matters/{row['id']}")).content


async def officer_looks(flood: Flood, agency: str) -> None:
    operator = await flood.officers.make("operator", agency)
    listed = [await operator.get(f"/v1/officer/deliveries{which}") for which in ("", "?state=delivered")]
    flood.officers_saw += b"".join(each.content for each in listed)
    for one in (item for each in listed for item in each.json().get("items", [])):
        detail = await operator.get(f"/v1/officer/deliveries/{one['id']}")
        flood.officers_saw += detail.content
        again = await operator.post(f"/v1/officer/deliveries/{one['id']}/retry", {"reason": OFFICERS_REASON})
        flood.officers_saw += again.content


async def test_nobody_sings(
    flood: Flood, processes: list[Running], postgres_url: str, environment: dict[str, str], collector: Collected
) -> None:
    assert len(flood.secrets) > 40, "the flood has not run"
    outputs = {f"output of {process.log.stem}": process.log.read_bytes() for process in processes}
    outputs |= {f"metrics of {process.log.stem}": await metrics_of(process) for process in processes}
    assert all(content.count(b"\n") > 1 for content in outputs.values()), "an empty output proves nothing"
    outputs |= {"errors": bytes(flood.errors), "answers to others": bytes(flood.others)}
    assert outputs["errors"].count(b"request_id") > 30
    outputs |= await canaries.rows_in_clear(postgres_url)
    outputs |= await canaries.valkey_in_clear(environment["LOKET_VALKEY_URL"])
    # The sandboxes are the agencies' own systems; keys are random bytes, and nobody's.
    outputs |= dict(canaries.files_in(Path(environment["LOKET_DATA_DIR"]), but=("sandboxes", "sandbox", "secrets")))
    outputs |= {"log of PostgreSQL": await postgres_log(postgres_url)}
    collector.wait_for(lambda seen: {"POST /v1/cases", "sicantik register"} <= {each.name for each in seen})
    outputs |= {"traces": bytes(collector.raw)}
    found = canaries.singing(outputs, flood.secrets)
    assert not found, "\n".join(found)


async def test_officers_see_numbers_masked(flood: Flood) -> None:
    """What was sent and answered is shown to them, but no whole NIK and no phone."""
    assert flood.officers_saw.count(b"started_at") >= 1, "nothing of a try was shown"
    numbers = [one for one in flood.secrets if one.name.startswith(("NIK", "phone"))]
    assert canaries.singing({"officers' answers": bytes(flood.officers_saw)}, numbers) == []


@pytest.mark.parametrize("careless", ["{nik}", "nik={nik}&", "{spaced}", "{b64}", "{most}", "{nik_reversed}"])
def test_the_search_would_find_it(careless: str) -> None:
    """One careless line among many, and it is told."""
    nik = "3571024505909123"
    shown = careless.format(
        nik=nik,
        spaced=" ".join(nik[at : at + 4] for at in range(0, 16, 4)),
        b64=base64.b64encode(b"user:" + nik.encode()).decode(),
        most=nik[:12] + "****",
        nik_reversed=nik[::-1],
    )
    noise = "\n".join(secrets.token_hex(20) for _ in range(200))
    found = canaries.singing({"log": f"{noise}\n{shown}\n{noise}".encode()}, [canaries.digits("NIK", nik)])
    assert found == ["NIK in log"]
    assert canaries.singing({"log": noise.encode()}, [canaries.digits("NIK", nik)]) == []


async def metrics_of(process: Running) -> bytes:
    """Its metrics, from the port that its log names."""
    line = next(line for line in process.output().splitlines() if "metrics of this process" in line)
    address = msgspec.json.decode(line)["event"].rpartition(" ")[2]
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{address}/metrics")
    assert b"loket_" in answer.content
    return answer.content


async def postgres_log(url: str) -> bytes:
    """What PostgreSQL itself has printed, where the test process brought it along."""
    connection = await asyncpg.connect(driver_url(url))
    try:
        cluster = Path(await connection.fetchval("SHOW data_directory"))
    except asyncpg.InsufficientPrivilegeError:
        return b""
    finally:
        await connection.close()
    log = cluster.with_suffix(".log")
    return log.read_bytes() if log.exists() else b""
