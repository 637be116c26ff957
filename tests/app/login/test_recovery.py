"""A forgotten password: one answer for everybody, a code for those who have a phone that is surely still theirs."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text, update

from app.assembly import Product, build
from app.login.codes import LOCK_TRIES, TRIES
from app.login.identity import Person
from app.login.models import Contact
from app.login.recovery import NUMBER_REST, RecoveryJob, queue
from tests.app.login.journey import PASSWORD, Journey, assert_problem, somebody
from tests.app.login.passkeys import holder
from tests.harness.authenticator import Authenticator

NEW = "Empat-Kapal-Ungu"


@pytest.fixture(scope="module")
async def product(journey: Journey) -> AsyncIterator[Product]:
    made = build(journey.api.settings, "test")
    yield made
    await made.gate.close()
    await made.close()


class Forgetful:
    """Somebody on the way to a new password; the worker's part is done here, when it is asked for."""

    def __init__(self, journey: Journey, product: Product, client: httpx.AsyncClient) -> None:
        self.journey = journey
        self.client = client
        self._run = queue(product.gate).run

    async def start(self, nik: str, **more: str) -> httpx.Response:
        return await self.client.post("/v1/login/recoveries", json={"nik": nik, **more})

    async def started(self, nik: str, **more: str) -> str:
        answer = await self.start(nik, **more)
        assert answer.status_code == 202, answer.text
        recovery_id = str(answer.json()["recovery_id"])
        for _ in range(2):  # a job may run twice
            await self._run(RecoveryJob(UUID(recovery_id)))
        return recovery_id

    async def confirm(self, recovery_id: str, code: str, password: str = NEW) -> httpx.Response:
        body = {"method": "otp", "code": code, "password": password}
        return await self.client.post(f"/v1/login/recoveries/{recovery_id}/confirm", json=body)


@pytest.fixture
async def forgetful(journey: Journey, product: Product) -> AsyncIterator[Forgetful]:
    async with journey.api.client() as client:
        yield Forgetful(journey, product, client)


async def test_a_new_password_by_code(journey: Journey, forgetful: Forgetful) -> None:
    person = somebody()
    before = await journey.register(person)
    recovery_id = await forgetful.started(person.nik, device_name="Redmi")
    told = await journey.notes(person.phone)
    assert told[0].startswith("Kode pemulihan kata sandi")
    confirmed = await forgetful.confirm(recovery_id, await journey.code(person.phone))
    assert confirmed.status_code == 201, confirmed.text
    tokens = confirmed.json()
    async with journey.api.client(token=tokens["access_token"]) as client:
        [device] = (await client.get("/v1/me/sessions")).json()["items"]
        inbox = [message["text"] for message in (await client.get("/v1/inbox")).json()["items"]]
        me = (await client.get("/v1/me")).json()["id"]
    assert (device["device_name"], device["current"]) == ("Redmi", True)
    assert any(words.startswith("Kata sandi Anda dipulihkan") for words in inbox)
    assert_problem(await journey.me(before["access_token"]), 401, "session_revoked")
    assert_problem(await journey.refresh(forgetful.client, before["refresh_token"]), 401, "session_revoked")
    actions = await journey.recorded(me)
    assert {"login.password_recovered", "login.opened"} <= set(actions)
    # The old password sends no code any more, the new one does.
    sent = len(await journey.notes(person.phone))
    await journey.ask_code(forgetful.client, person.nik, PASSWORD)
    assert len(await journey.notes(person.phone)) == sent
    await journey.ask_code(forgetful.client, person.nik, NEW)
    assert len(await journey.notes(person.phone)) == sent + 1


async def test_everybody_is_answered_alike_and_the_request_looks_nobody_up(
    journey: Journey, forgetful: Forgetful
) -> None:
    """By construction: one row that names no citizen, and one job. Whose NIK it is, a worker finds out."""
    person = somebody()
    await journey.register(person)
    answers, written = [], []
    for nik in (person.nik, somebody().nik, "1111111111111111"):
        before = await _rows(journey)
        answers.append(await forgetful.start(nik))
        written.append([after - count for after, count in zip(await _rows(journey), before, strict=True)])
        async with journey.database.transaction() as session:
            newest = await session.scalar(text("select citizen_id from challenges order by id desc limit 1"))
        assert newest is None
    assert {answer.status_code for answer in answers} == {202}
    assert written == [[1, 0, 1]] * 3
    assert len({tuple(name for name in answer.headers if name != "date") for answer in answers}) == 1
    bodies = [answer.json() for answer in answers]
    for body in bodies:
        assert len(body.pop("recovery_id")) == 36
        assert len(body["passkey"].pop("challenge")) == 43
        assert body.pop("expires_at")
    assert bodies[0] == bodies[1] == bodies[2]


async def test_unknown_person_gets_nothing_and_no_code_is_right(journey: Journey, forgetful: Forgetful) -> None:
    recovery_id = await forgetful.started(somebody().nik)
    assert_problem(await forgetful.confirm(recovery_id, "000000"), 422, "code_wrong")


async def test_a_number_that_rested_recovers_nothing(journey: Journey, forgetful: Forgetful) -> None:
    """It may be somebody else's by now; that person would learn nothing and could do nothing."""
    person = somebody()
    await journey.register(person)
    phone = Contact.value_index == journey.vault.index("phone", person.phone)
    async with journey.database.transaction() as session:
        rested = {"confirmed_at": text("now() - interval '61 days'"), "proven_at": None}
        await session.execute(update(Contact).where(phone).values(**rested))
    assert NUMBER_REST.days == 60
    sent = len(await journey.notes(person.phone))
    await forgetful.started(person.nik)
    assert len(await journey.notes(person.phone)) == sent
    # A login with its code shows that the number still is the citizen's.
    await journey.log_in(person)
    await forgetful.started(person.nik)
    assert (await journey.notes(person.phone))[0].startswith("Kode pemulihan")


async def test_a_passkey_recovers_too(journey: Journey, forgetful: Forgetful) -> None:
    async with holder(journey, level=2) as owner:
        answer = (await forgetful.start(owner.person.nik)).json()
        recovery_id = answer["recovery_id"]
        path = f"/v1/login/recoveries/{recovery_id}/confirm"
        body = {"method": "passkey", "credential": owner.device.get(answer["passkey"]), "password": NEW}
        assert_problem(await forgetful.client.post(path, json=body), 422, "passkey_wrong")  # nobody looked it up yet
        await forgetful._run(RecoveryJob(UUID(recovery_id)))
        stranger = Authenticator(owner.device.origin).get(answer["passkey"])
        assert_problem(await forgetful.client.post(path, json={**body, "credential": stranger}), 422, "passkey_wrong")
        confirmed = await forgetful.client.post(path, json={**body, "credential": owner.device.get(answer["passkey"])})
        assert confirmed.status_code == 201, confirmed.text
        assert confirmed.json()["assurance_level"] == 3
        assert_problem(await owner.client.get("/v1/me"), 401, "session_revoked")


async def test_a_recovery_ends_a_change_of_phone_that_waits(journey: Journey, forgetful: Forgetful) -> None:
    """The thief has a session and the password, the citizen still has the old number."""
    person, theirs = somebody(), somebody().phone
    tokens = await journey.register(person)
    async with journey.api.client(token=tokens["access_token"]) as thief:
        await thief.patch("/v1/me", json={"phone": theirs, "password": PASSWORD})
        waiting = await thief.post("/v1/me/phone-change/confirm", json={"code": await journey.code(theirs)})
        assert waiting.json()["state"] == "waiting"
        recovery_id = await forgetful.started(person.nik)
        recovered = await forgetful.confirm(recovery_id, await journey.code(person.phone))
        assert_problem(await thief.get("/v1/me"), 401, "session_revoked")
    async with journey.api.client(token=recovered.json()["access_token"]) as client:
        assert_problem(await client.get("/v1/me/phone-change"), 404, "phone_change_missing")


async def test_bad_password_costs_no_code(journey: Journey, forgetful: Forgetful) -> None:
    person = somebody()
    await journey.register(person)
    recovery_id = await forgetful.started(person.nik)
    code = await journey.code(person.phone)
    for bad, fault in ((f"Rumah-{person.nik}", "password_personal"), ("password12", "password_common")):
        refused = assert_problem(await forgetful.confirm(recovery_id, code, bad), 422, "validation_failed")
        assert refused["errors"][0]["code"] == fault
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    # With a wrong code nothing is said of the password: what is personal in it would tell of the account.
    assert_problem(await forgetful.confirm(recovery_id, wrong, f"Rumah-{person.nik}"), 422, "code_wrong")
    assert (await forgetful.confirm(recovery_id, code)).status_code == 201
    assert_problem(await forgetful.confirm(recovery_id, code), 422, "code_used")


async def test_five_tries_of_many_at_once(journey: Journey, forgetful: Forgetful) -> None:
    person = somebody()
    await journey.register(person)
    recovery_id = await forgetful.started(person.nik)
    wrong = f"{(int(await journey.code(person.phone)) + 1) % 1_000_000:06}"
    answers = await asyncio.gather(*(forgetful.confirm(recovery_id, wrong) for _ in range(20)))
    assert sum(answer.json()["code"] == "code_wrong" for answer in answers) == TRIES


async def test_many_wrong_codes_lock_strangers_out_and_not_a_known_device(
    journey: Journey, forgetful: Forgetful
) -> None:
    person = somebody()
    device_token = (await journey.register(person))["device_token"]
    await _use_up_tries(journey, person)
    stranger = await forgetful.started(person.nik)
    assert_problem(await forgetful.confirm(stranger, await journey.code(person.phone)), 422, "code_wrong")
    known = await forgetful.started(person.nik, device_token=device_token)
    assert (await forgetful.confirm(known, await journey.code(person.phone))).status_code == 201
    again = await forgetful.started(person.nik)
    recovered = await forgetful.confirm(again, await journey.code(person.phone), "Lima-Perahu-Jingga")
    assert recovered.status_code == 201, "who has been let in has lifted the lock"


async def _use_up_tries(journey: Journey, person: Person) -> None:
    row = {"account": journey.vault.index("nik", person.nik), "tries": LOCK_TRIES}
    async with journey.database.transaction() as session:
        await session.execute(
            text("insert into code_tries (account, purpose, tries) values (:account, 'recovery', :tries)"), row
        )


async def test_code_of_a_login_recovers_nothing(journey: Journey, forgetful: Forgetful) -> None:
    person = somebody()
    await journey.register(person)
    asked = (await journey.ask_code(forgetful.client, person.nik)).json()
    code = await journey.code(person.phone)
    assert_problem(await forgetful.confirm(asked["challenge_id"], code), 404, "not_found")


async def _rows(journey: Journey) -> list[int]:
    tables = ("challenges", "outgoing_messages", "pgqueuer")
    async with journey.database.transaction() as session:
        return [int(await session.scalar(text(f"select count(*) from {table}")) or 0) for table in tables]
