"""Logging in: password, then code. Wrong and unknown look like right, and no code of theirs is ever right."""

import asyncio
import re

from sqlalchemy import select, text

from app.inbox.models import NOTE_PHONE, NOTE_TEXT, OutgoingMessage
from app.login.codes import TRIES
from tests.app.login.journey import PASSWORD, WRONG_PASSWORD, Journey, assert_problem, somebody

PARALLEL = 100


async def test_logged_in_with_password_and_code(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    tokens = await journey.log_in(person, device_name="Redmi Note 13")
    assert (await journey.me(tokens["access_token"])).status_code == 200
    async with journey.api.client(token=tokens["access_token"]) as client:
        devices = (await client.get("/v1/me/sessions")).json()["items"]
    assert [(device["device_name"], device["current"]) for device in devices] == [("Redmi Note 13", True), ("", False)]


async def test_password_typed_in_another_unicode_form(journey: Journey) -> None:
    person = somebody()
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, person)).json()
        code = await journey.code(person.phone)
        await journey.confirm(client, started["registration_id"], code, "Cafe\u0301-pojok-kota")
        asked = await journey.ask_code(client, person.nik, "Caf\u00e9-pojok-kota")
        answered = await journey.answer(client, asked.json()["challenge_id"], await journey.code(person.phone))
    assert answered.status_code == 201


async def test_right_wrong_and_unknown_are_answered_alike(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        answers = [
            await journey.ask_code(client, person.nik, PASSWORD),
            await journey.ask_code(client, person.nik, WRONG_PASSWORD),
            await journey.ask_code(client, somebody().nik, PASSWORD),
            await journey.ask_code(client, "1111111111111111", PASSWORD),
        ]
    assert {answer.status_code for answer in answers} == {200}
    assert {tuple(answer.json()) for answer in answers} == {("challenge_id", "methods", "passkey", "expires_at")}
    assert {tuple(answer.json()["methods"]) for answer in answers} == {("otp", "passkey")}
    assert len({tuple(k for k in answer.headers if k != "date") for answer in answers}) == 1


async def test_wrong_password_sends_no_code_and_none_is_right(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    before = await journey.notes(person.phone)
    async with journey.api.client() as client:
        asked = await journey.ask_code(client, person.nik, WRONG_PASSWORD)
        assert await journey.notes(person.phone) == before
        # The very code that was made for this challenge and sent to nobody.
        async with journey.database.transaction() as session:
            decoy = await session.scalar(select(OutgoingMessage).order_by(OutgoingMessage.id.desc()).limit(1))
        assert decoy is not None
        assert decoy.state == "discarded"
        assert decoy.phone_enc is not None
        assert decoy.text_enc is not None
        assert journey.vault.decrypt(decoy.phone_enc, NOTE_PHONE) == b"+620000000000"
        found = re.search(r"\b\d{6}\b", journey.vault.decrypt(decoy.text_enc, NOTE_TEXT).decode())
        assert found
        answer = await journey.answer(client, asked.json()["challenge_id"], found[0])
    assert_problem(answer, 422, "code_wrong")
    async with journey.database.transaction() as session:
        given = {"id": asked.json()["challenge_id"]}
        row = (await session.execute(text("select tries, used_at from challenges where id = :id"), given)).one()
    assert tuple(row) == (1, None), "not even this code meets the challenge"


async def test_unknown_nik_does_the_same_work(journey: Journey) -> None:
    """By construction, not by the clock: the same rows and the same job are written for everybody."""
    person = somebody()
    await journey.register(person)
    written = []
    async with journey.api.client() as client:
        for nik, password in ((person.nik, PASSWORD), (person.nik, WRONG_PASSWORD), (somebody().nik, PASSWORD)):
            before = await _rows(journey)
            await journey.ask_code(client, nik, password)
            written.append([after - b for after, b in zip(await _rows(journey), before, strict=True)])
    assert written == [[1, 1, 1]] * 3


async def test_of_many_parallel_tries_exactly_five_are_checked(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        challenge_id = (await journey.ask_code(client, person.nik)).json()["challenge_id"]
        right = await journey.code(person.phone)
        wrong = f"{(int(right) + 1) % 1_000_000:06}"
        answers = await asyncio.gather(*(journey.answer(client, challenge_id, wrong) for _ in range(PARALLEL)))
        codes = [answer.json()["code"] for answer in answers]
        assert codes.count("code_wrong") == TRIES
        # A busy machine answers some of so many with a 503: those are no tries.
        assert set(codes) <= {"code_wrong", "code_exhausted", "database_unavailable"}
        late = await journey.answer(client, challenge_id, right)
    assert_problem(late, 422, "code_exhausted")
    async with journey.database.transaction() as session:
        tries = await session.scalar(text("select tries from challenges where id = :id"), {"id": challenge_id})
    assert tries == TRIES


async def test_right_code_sent_many_times_at_once_opens_one_session(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        challenge_id = (await journey.ask_code(client, person.nik)).json()["challenge_id"]
        code = await journey.code(person.phone)
        answers = await asyncio.gather(*(journey.answer(client, challenge_id, code) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 19
    assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"code_used"}


async def test_right_code_after_four_wrong_ones(journey: Journey) -> None:
    person = somebody()
    await journey.register(person)
    async with journey.api.client() as client:
        challenge_id = (await journey.ask_code(client, person.nik)).json()["challenge_id"]
        right = await journey.code(person.phone)
        for _ in range(TRIES - 1):
            wrong = await journey.answer(client, challenge_id, f"{(int(right) + 7) % 1_000_000:06}")
            assert_problem(wrong, 422, "code_wrong")
        assert (await journey.answer(client, challenge_id, right)).status_code == 201


async def _rows(journey: Journey) -> list[int]:
    tables = ("challenges", "outgoing_messages", "pgqueuer")
    async with journey.database.transaction() as session:
        return [int(await session.scalar(text(f"select count(*) from {table}")) or 0) for table in tables]
