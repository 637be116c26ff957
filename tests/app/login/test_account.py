"""What one logs in with, changed: password, phone; proving oneself once more; what is told, and to whom."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from app.assembly import Product, build
from app.login.models import PhoneChange
from app.login.phone_changes import settle_phone_changes
from tests.app.login.journey import PASSWORD, WRONG_PASSWORD, Journey, assert_problem, somebody
from tests.app.login.passkeys import holder
from tests.harness.authenticator import Bent

NEW = "Empat-Kapal-Ungu"


@pytest.fixture(scope="module")
async def product(journey: Journey) -> AsyncIterator[Product]:
    made = build(journey.api.settings, "test")
    yield made
    await made.gate.close()
    await made.close()


class Somebody:
    """A citizen with two devices. `client` is the first's."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.person = somebody()

    async def __aenter__(self) -> "Somebody":
        self.tokens = await self.journey.register(self.person)
        self.other = await self.journey.log_in(self.person, "Laptop")
        self.client = self.journey.api.client(token=self.tokens["access_token"])
        self.id = (await self.client.get("/v1/me")).json()["id"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def inbox(self) -> list[str]:
        return [message["text"] for message in (await self.client.get("/v1/inbox")).json()["items"]]

    async def step_up(self, code: str | None = None) -> httpx.Response:
        step = (await self.client.post("/v1/me/step-up/options", json={"method": "otp"})).json()
        code = code or await self.journey.code(self.person.phone)
        body = {"challenge_id": step["challenge_id"], "method": "otp", "code": code}
        return await self.client.post("/v1/me/step-up", json=body)

    async def ask_for(self, phone: str, password: str = PASSWORD) -> httpx.Response:
        return await self.client.patch("/v1/me", json={"phone": phone, "password": password})

    async def confirm(self, code: str, old_code: str | None = None) -> httpx.Response:
        body = {"code": code} | ({"old_code": old_code} if old_code else {})
        return await self.client.post("/v1/me/phone-change/confirm", json=body)


@pytest.fixture
async def me(journey: Journey) -> AsyncIterator[Somebody]:
    async with Somebody(journey) as made:
        yield made


async def test_another_password(journey: Journey, me: Somebody) -> None:
    changed = await me.client.post("/v1/me/password", json={"password": PASSWORD, "new_password": NEW})
    assert changed.status_code == 204, changed.text
    assert (await me.client.get("/v1/me")).status_code == 200, "this device goes on"
    assert_problem(await journey.me(me.other["access_token"]), 401, "session_revoked")
    assert any(words.startswith("Kata sandi Anda sudah diganti") for words in await me.inbox())
    assert "login.password_changed" in await journey.recorded(me.id)
    sent = len(await journey.notes(me.person.phone))
    await journey.ask_code(me.client, me.person.nik, PASSWORD)
    await journey.ask_code(me.client, me.person.nik, NEW)
    assert len(await journey.notes(me.person.phone)) == sent + 1


async def test_wrong_or_bad_password_changes_nothing(journey: Journey, me: Somebody) -> None:
    path = "/v1/me/password"
    wrong = await me.client.post(path, json={"password": WRONG_PASSWORD, "new_password": NEW})
    assert assert_problem(wrong, 422, "password_wrong")["errors"][0]["pointer"] == "/password"
    bad = await me.client.post(path, json={"password": PASSWORD, "new_password": f"Aku-{me.person.nik}"})
    faults = assert_problem(bad, 422, "validation_failed")["errors"]
    assert [(fault["pointer"], fault["code"]) for fault in faults] == [("/new_password", "password_personal")]
    assert (await journey.me(me.other["access_token"])).status_code == 200
    assert "login.password_refused" in await journey.recorded(me.id)


async def test_proven_once_more_by_code(journey: Journey, me: Somebody) -> None:
    await journey.raise_citizen(me.person, 2)
    raised = await me.step_up()
    assert raised.status_code == 200, raised.text
    # A code proves the phone, which login has proven already: it raises nobody.
    assert (raised.json()["assurance_level"], raised.json()["raised_until"]) == (2, None)
    assert (await journey.me(raised.json()["access_token"])).status_code == 200
    assert_problem(await me.step_up("000000"), 422, "code_wrong")
    assert "login.raised" in await journey.recorded(me.id)


async def test_raised_by_a_passkey(journey: Journey) -> None:
    async with holder(journey, level=2) as owner:
        step = (await owner.client.post("/v1/me/step-up/options", json={"method": "passkey"})).json()
        assert [each["transports"] for each in step["passkey"]["allowCredentials"]] == [["internal"]]
        body: dict[str, Any] = {"challenge_id": step["challenge_id"], "method": "passkey"}
        unverified = owner.device.get(step["passkey"], Bent(verified=False))
        refused = await owner.client.post("/v1/me/step-up", json={**body, "credential": unverified})
        assert_problem(refused, 422, "passkey_wrong")
        answer = {**body, "credential": owner.device.get(step["passkey"])}
        raised = await owner.client.post("/v1/me/step-up", json=answer)
        assert (raised.status_code, raised.json()["assurance_level"]) == (200, 3), raised.text
        assert raised.json()["raised_until"]
        assert_problem(await owner.client.post("/v1/me/step-up", json=answer), 422, "passkey_used")


async def test_no_step_up_with_what_is_another_citizens(journey: Journey, me: Somebody) -> None:
    async with Somebody(journey) as other:
        step = (await other.client.post("/v1/me/step-up/options", json={"method": "otp"})).json()
        code = await journey.code(other.person.phone)
        body = {"challenge_id": step["challenge_id"], "method": "otp", "code": code}
        assert_problem(await me.client.post("/v1/me/step-up", json=body), 404, "not_found")
    none = await me.client.post("/v1/me/step-up/options", json={"method": "passkey"})
    assert_problem(none, 404, "passkey_missing")


async def test_another_phone_that_both_numbers_confirm(journey: Journey, me: Somebody) -> None:
    new = somebody().phone
    asked = await me.ask_for(new)
    assert asked.status_code == 200, asked.text
    assert asked.json()["phone"].endswith(me.person.phone[-3:]), "nothing has changed yet"
    standing = (await me.client.get("/v1/me/phone-change")).json()
    assert (standing["state"], standing["phone"][-3:], standing["due_at"]) == ("asked", new[-3:], None)
    [to_old] = [note for note in await journey.notes(me.person.phone) if "diminta diganti" in note]
    assert new not in to_old
    code, old_code = await journey.code(new), await journey.code(me.person.phone)
    assert me.person.phone not in (await journey.notes(new))[0]
    done = await me.confirm(code, old_code)
    assert (done.status_code, done.json()["state"]) == (200, "done"), done.text
    assert (await me.client.get("/v1/me")).json()["phone"].endswith(new[-3:])
    assert any("tidak lagi menjadi nomor akun" in note for note in await journey.notes(me.person.phone))
    assert_problem(await me.client.get("/v1/me/phone-change"), 404, "phone_change_missing")
    sent = len(await journey.notes(new))
    await journey.ask_code(me.client, me.person.nik)
    assert len(await journey.notes(new)) == sent + 1, "codes go to the new number"
    assert {"login.phone_change_asked", "login.phone_changed"} <= set(await journey.recorded(me.id))


async def test_without_the_old_number_it_takes_a_day(journey: Journey, me: Somebody, product: Product) -> None:
    new = somebody().phone
    await me.ask_for(new)
    waiting = (await me.confirm(await journey.code(new))).json()
    assert waiting["state"] == "waiting"
    assert any("dalam 24 jam" in words for words in await me.inbox())
    await settle_phone_changes(product.gate)
    assert (await me.client.get("/v1/me")).json()["phone"].endswith(me.person.phone[-3:])
    await _pass_a_day(journey)
    await settle_phone_changes(product.gate)
    assert (await me.client.get("/v1/me")).json()["phone"].endswith(new[-3:])
    assert any("tidak lagi menjadi nomor akun" in note for note in await journey.notes(me.person.phone))


async def test_the_old_number_stops_it(journey: Journey, me: Somebody, product: Product) -> None:
    """By logging in with a code that still goes there. (Recovering the password does it too: tests of recovery.)"""
    new = somebody().phone
    await me.ask_for(new)
    await me.confirm(await journey.code(new))
    theirs = await journey.log_in(me.person)
    async with journey.api.client(token=theirs["access_token"]) as client:
        assert (await client.delete("/v1/me/phone-change")).status_code == 204
        assert_problem(await client.delete("/v1/me/phone-change"), 404, "phone_change_missing")
    await _pass_a_day(journey)
    await settle_phone_changes(product.gate)
    assert (await me.client.get("/v1/me")).json()["phone"].endswith(me.person.phone[-3:])
    assert "login.phone_change_stopped" in await journey.recorded(me.id)


async def test_wrong_code_of_one_number_costs_the_other_nothing(journey: Journey, me: Somebody) -> None:
    new = somebody().phone
    await me.ask_for(new)
    code, old_code = await journey.code(new), await journey.code(me.person.phone)
    wrong, old_wrong = (f"{(int(right) + 1) % 1_000_000:06}" for right in (code, old_code))
    for given, pointer in (((wrong, old_code), "/code"), ((code, old_wrong), "/old_code")):
        refused = assert_problem(await me.confirm(*given), 422, "code_wrong")
        assert refused["errors"][0]["pointer"] == pointer
    assert (await me.confirm(code, old_code)).json()["state"] == "done"


async def test_phone_is_not_asked_for_without_password_nor_twice_the_same(journey: Journey, me: Somebody) -> None:
    new = somebody().phone
    missing = assert_problem(await me.client.patch("/v1/me", json={"phone": new}), 422, "validation_failed")
    assert [(fault["pointer"], fault["code"]) for fault in missing["errors"]] == [("/password", "required")]
    assert_problem(await me.ask_for(new, WRONG_PASSWORD), 422, "password_wrong")
    for phone, code in ((me.person.phone, "phone_same"), ("021-5550100", "phone_invalid")):
        refused = assert_problem(await me.ask_for(phone), 422, "validation_failed")
        assert refused["errors"][0]["code"] == code
    assert await journey.notes(new) == []
    assert_problem(await me.confirm("123456"), 404, "phone_change_missing")


async def test_phone_change_of_another_is_out_of_reach(journey: Journey, me: Somebody) -> None:
    async with Somebody(journey) as other:
        new = somebody().phone
        await other.ask_for(new)
        assert_problem(await me.confirm(await journey.code(new)), 404, "phone_change_missing")
        assert_problem(await me.client.delete("/v1/me/phone-change"), 404, "phone_change_missing")
        assert (await other.client.get("/v1/me/phone-change")).json()["state"] == "asked"


async def test_a_new_device_is_told_and_a_known_one_is_not(journey: Journey, me: Somebody) -> None:
    before = [words for words in await me.inbox() if "perangkat baru: Laptop" in words]
    assert len(before) == 1
    known = {
        "nik": me.person.nik,
        "password": PASSWORD,
        "device_name": "Laptop",
        "device_token": me.other["device_token"],
    }
    asked = (await me.client.post("/v1/login/sessions", json=known)).json()
    again = await journey.answer(me.client, asked["challenge_id"], await journey.code(me.person.phone))
    assert again.status_code == 201
    assert [words for words in await me.inbox() if "perangkat baru: Laptop" in words] == before
    assert (await journey.recorded(me.id)).count("login.opened") == 3


async def test_a_device_tells_its_network_and_no_place(me: Somebody) -> None:
    devices = (await me.client.get("/v1/me/sessions")).json()["items"]
    named = next(device for device in devices if device["device_name"] == "Laptop")
    assert (named["network"], named["same_network"]) == ("127.0.*.*", True)


async def test_a_replayed_refresh_token_is_told_and_recorded(journey: Journey, me: Somebody) -> None:
    stolen = me.other["refresh_token"]
    answers = [await journey.refresh(me.client, stolen) for _ in range(3)]
    assert_problem(answers[-1], 401, "session_revoked")
    assert any("dipakai dua kali" in words for words in await me.inbox())
    assert "login.refresh_replayed" in await journey.recorded(me.id)


async def test_ended_sessions_are_on_record(journey: Journey, me: Somebody) -> None:
    async with journey.api.client(token=me.other["access_token"]) as other:
        assert (await other.post("/v1/login/logout")).status_code == 204
    assert (await me.client.delete("/v1/me/sessions")).status_code == 204
    assert {"login.session_ended", "login.sessions_ended"} <= set(await journey.recorded(me.id))


async def test_the_record_holds_no_secret(journey: Journey, me: Somebody) -> None:
    async with journey.database.transaction() as session:
        rows = (await session.scalars(text("select a::text from audit_rows a"))).all()
    assert rows
    secrets = (me.person.nik, me.person.phone, PASSWORD, me.person.name, me.tokens["access_token"], "127.0")
    assert not [row for row in rows if any(secret in row for secret in secrets)]


async def _pass_a_day(journey: Journey) -> None:
    async with journey.database.transaction() as session:
        await session.execute(
            update(PhoneChange)
            .values(due_at=PhoneChange.due_at - text("interval '24 hours'"))
            .execution_options(synchronize_session=False)
        )
