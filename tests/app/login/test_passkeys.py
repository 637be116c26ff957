"""Passkeys: added, used, removed; and every bent answer to a challenge refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from sqlalchemy import text

from app.login.codes import TRIES
from app.login.identity import Person
from app.login.passkeys import MOST
from app.login.sessions import RAISED_S
from tests.app.login.journey import Journey, assert_problem, somebody
from tests.app.login.passkeys import Holder, add_passkey, holder, start_passkey
from tests.harness.authenticator import Authenticator, Bent


@pytest.fixture(scope="module")
async def owner(journey: Journey) -> AsyncIterator[Holder]:
    async with holder(journey, level=2) as made:
        yield made


BENT: dict[str, Bent] = {
    "another origin": Bent(origin="https://loket.example"),
    "our origin with another port": Bent(origin="http://localhost:1"),
    "our name below another's": Bent(origin="http://localhost.evil.example"),
    "an app nobody named": Bent(origin="android:apk-key-hash:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "no origin": Bent(client_data=b'{"type": "webauthn.get", "challenge": "AAAA"}'),
    "another domain": Bent(domain="loket.example"),
    "our domain with a dot more": Bent(domain="localhost."),
    "embedded in another's page": Bent(cross_origin=True),
    "another challenge": Bent(challenge="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "empty challenge": Bent(challenge="AA"),
    "of a registration": Bent(kind="webauthn.create"),
    "owner not verified": Bent(verified=False),
    "owner not present": Bent(present=False),
    "signature of nothing": Bent(signature=b"\x30\x06\x02\x01\x00\x02\x01\x00"),
    "signature garbage": Bent(signature=b"x" * 70),
    "another's user handle": Bent(user_handle="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "client data no JSON": Bent(client_data=b"\xff\xfe{"),
    "client data a list": Bent(client_data=b"[]"),
    "client data of numbers": Bent(client_data=b'{"type": 1, "challenge": 2, "origin": 3}'),
    "authenticator data short": Bent(authenticator_data=b"\x01" * 36),
    "authenticator data with flags it does not keep": Bent(authenticator_data=b"\x01" * 32 + b"\xff" + b"\0" * 8),
}


async def test_logged_in_with_a_passkey(owner: Holder) -> None:
    answered = await owner.answer(await owner.ask())
    assert answered.status_code == 201, answered.text
    tokens = answered.json()
    assert tokens["assurance_level"] == 3
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["acr"] == "3"
    async with owner.journey.api.client(token=tokens["access_token"]) as client:
        assert (await client.get("/v1/me")).status_code == 200
        current = next(each for each in (await client.get("/v1/me/sessions")).json()["items"] if each["current"])
    assert current["assurance_level"] == 3
    listed = (await owner.client.get("/v1/me/passkeys")).json()["items"]
    assert [(each["name"], each["last_used_at"] is not None) for each in listed] == [("Ponsel", True)]


async def test_a_passkey_says_nothing_of_who_was_never_identified(journey: Journey) -> None:
    """It proves the device of the one who registered it, so somebody at level 1 stays there."""
    async with holder(journey, level=1) as stranger:
        assert (await stranger.answer(await stranger.ask())).json()["assurance_level"] == 1


async def test_the_level_falls_back(journey: Journey) -> None:
    async with holder(journey, level=2) as raised:
        client = raised.client
        tokens = (await raised.answer(await raised.ask())).json()
        again = (await journey.refresh(client, tokens["refresh_token"])).json()
        assert again["assurance_level"] == 3
        await _pass_time(journey, raised.person, RAISED_S - 60)
        short = (await journey.refresh(client, again["refresh_token"])).json()
        assert short["assurance_level"] == 3
        assert short["expires_in"] <= 60, "no token outlives the level it tells"
        await _pass_time(journey, raised.person, 60)
        over = (await journey.refresh(client, short["refresh_token"])).json()
    assert (over["assurance_level"], over["expires_in"]) == (2, 300)


@pytest.mark.parametrize("name", BENT)
async def test_bent_answer_is_refused(owner: Holder, name: str) -> None:
    asked = await owner.ask()
    assert_problem(await owner.answer(asked, BENT[name]), 422, "passkey_wrong")
    # The challenge stands: an honest answer to it is still let in.
    assert (await owner.answer(asked)).status_code == 201


async def test_challenge_is_good_once(owner: Holder) -> None:
    asked = await owner.ask()
    credential = owner.device.get(asked["passkey"])
    assert (await owner.send(asked, credential)).status_code == 201
    assert_problem(await owner.send(asked, credential), 422, "passkey_used")
    assert_problem(await owner.send(await owner.ask(), credential), 422, "passkey_wrong")


async def test_same_answer_many_times_at_once_opens_one_session(owner: Holder) -> None:
    asked = await owner.ask()
    credential = owner.device.get(asked["passkey"])
    answers = await asyncio.gather(*(owner.send(asked, credential) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 9


async def test_five_tries(owner: Holder) -> None:
    asked = await owner.ask()
    bad = BENT["owner not verified"]
    answers = await asyncio.gather(*(owner.answer(asked, bad) for _ in range(20)))
    codes = [answer.json()["code"] for answer in answers]
    assert codes.count("passkey_wrong") == TRIES
    assert codes.count("passkey_exhausted") == 20 - TRIES
    assert_problem(await owner.answer(asked), 422, "passkey_exhausted")


async def test_counter_that_goes_back_is_a_copy_and_its_owner_is_told(journey: Journey) -> None:
    async with holder(journey) as copied:
        client = copied.client
        assert (await copied.answer(await copied.ask(), Bent(counter=41))).status_code == 201
        for counter in (41, 40, 0):
            assert_problem(await copied.answer(await copied.ask(), Bent(counter=counter)), 422, "passkey_wrong")
        assert (await copied.answer(await copied.ask(), Bent(counter=42))).status_code == 201
        told = (await client.get("/v1/inbox")).json()["items"]
    assert sum("salinannya" in message["text"] for message in told) == 3


async def test_counter_that_stays_nought_is_no_copy(journey: Journey) -> None:
    """Most phones and all passkeys that are kept in copies count nothing."""
    async with holder(journey) as kept:
        for _ in range(2):
            assert (await kept.answer(await kept.ask(), Bent(counter=0))).status_code == 201


async def test_another_citizens_passkey_opens_nothing(journey: Journey, owner: Holder) -> None:
    async with holder(journey) as thief:
        asked = await owner.ask()
        assert_problem(await owner.send(asked, thief.device.get(asked["passkey"])), 422, "passkey_wrong")
        # Nor under the victim's credential id.
        stolen = {
            **thief.device.get(asked["passkey"]),
            **{k: owner.device.get(asked["passkey"])[k] for k in ("id", "rawId")},
        }
        assert_problem(await owner.send(asked, stolen), 422, "passkey_wrong")


async def test_wrong_password_is_not_made_good_by_a_passkey(owner: Holder) -> None:
    asked = (await owner.journey.ask_code(owner.client, owner.person.nik, "Tujuh-Becak-Merah")).json()
    assert_problem(await owner.answer(asked), 422, "passkey_wrong")


async def test_challenge_of_one_way_is_none_of_another(owner: Holder) -> None:
    """A signature for stepping up opens no login, nor the other way round."""
    asked = await owner.ask()
    step = (await owner.client.post("/v1/me/step-up/options", json={"method": "passkey"})).json()
    for_step = owner.device.get(step["passkey"])
    assert_problem(await owner.send(asked, for_step), 422, "passkey_wrong")
    other = {"challenge_id": step["challenge_id"]}
    assert_problem(await owner.send(other, for_step), 404, "not_found")
    body = {
        "challenge_id": asked["challenge_id"],
        "method": "passkey",
        "credential": owner.device.get(asked["passkey"]),
    }
    assert_problem(await owner.client.post("/v1/me/step-up", json=body), 404, "not_found")


async def test_known_and_unknown_are_offered_the_same(owner: Holder) -> None:
    offers = []
    for nik, password in ((owner.person.nik, "Tujuh-Becak-Biru"), (owner.person.nik, "x"), (somebody().nik, "x")):
        asked = (await owner.journey.ask_code(owner.client, nik, password)).json()
        assert len(asked["passkey"].pop("challenge")) == 43
        offers.append((asked["methods"], asked["passkey"]))
    assert offers[0] == offers[1] == offers[2]
    assert offers[0][1]["allowCredentials"] == []
    assert offers[0][1]["userVerification"] == "required"


REGISTRATIONS: dict[str, Bent] = {
    "another origin": Bent(origin="https://loket.example"),
    "another domain": Bent(domain="loket.example"),
    "embedded": Bent(cross_origin=True),
    "another challenge": Bent(challenge="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    "of a login": Bent(kind="webauthn.get"),
    "owner not verified": Bent(verified=False),
    "owner not present": Bent(present=False),
    "no key in it": Bent(authenticator_data=b"\x01" * 32 + b"\x45" + bytes(4)),
    "garbage": Bent(authenticator_data=b"\xff" * 90),
    "empty": Bent(authenticator_data=b"\0"),
}


@pytest.mark.parametrize("name", REGISTRATIONS)
async def test_bent_registration_is_refused(owner: Holder, name: str) -> None:
    started = await start_passkey(owner.client)
    device = Authenticator(owner.device.origin)
    bent = device.create(started["options"], REGISTRATIONS[name])
    assert_problem(await add_passkey(owner.client, started, bent), 422, "passkey_wrong")
    assert len((await owner.client.get("/v1/me/passkeys")).json()["items"]) == 1


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "attestation no CBOR": lambda c: c["response"].update(attestationObject="AAAA"),
    "attestation changed": lambda c: c["response"].update(attestationObject="_" * 400),
    "attestation of an unknown kind": lambda c: c["response"].update(
        attestationObject="o2NmbXRjeHl6Z2F0dFN0bXSgaGF1dGhEYXRhQQA"
    ),
    "id of another": lambda c: c.update(id="AAAA"),
    "raw id of another": lambda c: c.update(rawId="AAAA"),
    "impossible base64": lambda c: c.update(id="A", rawId="A"),
    "client data impossible base64": lambda c: c["response"].update(clientDataJSON="A"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_registration_is_refused(owner: Holder, name: str) -> None:
    started = await start_passkey(owner.client)
    credential = Authenticator(owner.device.origin).create(started["options"])
    BROKEN[name](credential)
    assert_problem(await add_passkey(owner.client, started, credential), 422, "passkey_wrong")


async def test_options_are_good_once_and_for_their_citizen_alone(journey: Journey, owner: Holder) -> None:
    async with holder(journey) as other:
        started = await start_passkey(owner.client)
        device = Authenticator(owner.device.origin)
        credential = device.create(started["options"])
        for _ in range(TRIES):
            assert_problem(await add_passkey(other.client, started, credential), 404, "not_found")
        added = await add_passkey(owner.client, started, credential, "Kedua")
        assert added.status_code == 201
        again = await add_passkey(owner.client, started, credential, "Kedua")
        assert (again.status_code, again.json()) == (201, added.json()), "a lost answer is given again"
        another = Authenticator(owner.device.origin).create(started["options"])
        assert_problem(await add_passkey(owner.client, started, another), 422, "passkey_used")
        # Nobody takes a passkey that is another's.
        theirs = await start_passkey(other.client)
        assert_problem(await add_passkey(other.client, theirs, device.create(theirs["options"])), 409, "passkey_known")
        assert_problem(await other.client.delete(f"/v1/me/passkeys/{added.json()['id']}"), 404, "not_found")
        assert (await owner.client.delete(f"/v1/me/passkeys/{added.json()['id']}")).status_code == 204
        assert len((await owner.client.get("/v1/me/passkeys")).json()["items"]) == 1


async def test_removed_passkey_opens_nothing(journey: Journey) -> None:
    async with holder(journey) as former:
        client = former.client
        [mine] = (await client.get("/v1/me/passkeys")).json()["items"]
        assert (await client.delete(f"/v1/me/passkeys/{mine['id']}")).status_code == 204
        assert_problem(await former.answer(await former.ask()), 422, "passkey_wrong")


async def test_an_open_phone_is_not_enough_to_add_one(journey: Journey) -> None:
    """Ten minutes after the login its citizen must prove themselves again."""
    person = somebody()
    tokens = await journey.register(person)
    async with journey.api.client(token=tokens["access_token"]) as client:
        started = await start_passkey(client)
        await _pass_time(journey, person, RAISED_S)
        assert_problem(await client.post("/v1/me/passkeys/options"), 403, "step_up_needed")
        credential = Authenticator(f"http://localhost:{journey.api.settings.port}").create(started["options"])
        assert_problem(await add_passkey(client, started, credential), 403, "step_up_needed")
        step = (await client.post("/v1/me/step-up/options", json={"method": "otp"})).json()
        body = {"challenge_id": step["challenge_id"], "method": "otp", "code": await journey.code(person.phone)}
        raised = await client.post("/v1/me/step-up", json=body)
        assert (raised.status_code, raised.json()["assurance_level"]) == (200, 1), raised.text
        assert (await add_passkey(client, started, credential)).status_code == 201


async def test_no_more_than_the_most(journey: Journey) -> None:
    async with holder(journey) as keen:
        client = keen.client
        # All begun before the last was added.
        begun = [await start_passkey(client) for _ in range(MOST)]
        devices = [Authenticator(keen.device.origin) for _ in begun]
        answers = await asyncio.gather(
            *(
                add_passkey(client, one, device.create(one["options"]))
                for one, device in zip(begun, devices, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201] * (MOST - 1) + [409]
        assert_problem(await client.post("/v1/me/passkeys/options"), 409, "too_many_passkeys")


async def test_every_step_is_on_record_and_told(journey: Journey) -> None:
    async with holder(journey) as seen:
        client = seen.client
        await seen.answer(await seen.ask(), BENT["another origin"])
        await seen.answer(await seen.ask())
        [mine] = (await client.get("/v1/me/passkeys")).json()["items"]
        await client.delete(f"/v1/me/passkeys/{mine['id']}")
        me = (await client.get("/v1/me")).json()["id"]
        told = [message["text"] for message in (await client.get("/v1/inbox")).json()["items"]]
    actions = await journey.recorded(me)
    for expected in (
        "login.passkey_added",
        "login.code_asked",
        "login.passkey_refused",
        "login.opened",
        "login.passkey_removed",
    ):
        assert expected in actions, actions
    for words in ("Kunci sandi baru", "perangkat baru", "dihapus dari akun"):
        assert any(words in each for each in told), told


async def _pass_time(journey: Journey, person: Person, seconds: float) -> None:
    """As if their sessions had been opened, and raised, that much earlier."""
    given = {"back": timedelta(seconds=seconds), "nik": journey.vault.index("nik", person.nik)}
    async with journey.database.transaction() as session:
        await session.execute(
            text(
                "update sessions set proved_at = proved_at - cast(:back as interval),"
                " raised_until = raised_until - cast(:back as interval)"
                " where citizen_id = (select id from citizens where nik_index = :nik)"
            ),
            given,
        )
