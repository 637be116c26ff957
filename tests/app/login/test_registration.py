"""Asking for an account: the way through it, every refusal, and nothing learned about others."""

import asyncio
from datetime import date

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, text

from app.login.models import Citizen
from tests.app.login.journey import PASSWORD, Journey, assert_problem, somebody


async def citizens(journey: Journey) -> int:
    async with journey.database.transaction() as session:
        return await session.scalar(select(func.count()).select_from(Citizen)) or 0


async def test_registered_with_a_code_and_logged_in(journey: Journey) -> None:
    person = somebody()
    tokens = await journey.register(person)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 300
    assert tokens["assurance_level"] == 1, "nobody but the phone has said who this is"
    assert 29 * 86_400 < tokens["refresh_expires_in"] <= 30 * 86_400
    me = (await journey.me(tokens["access_token"])).json()
    assert me["name"] == person.name
    assert me["nik"] == f"357102********{person.nik[-2:]}"


async def test_text_follows_the_language(journey: Journey) -> None:
    person = somebody()
    async with journey.api.client(language="en") as client:
        await journey.start_registration(client, person)
    assert (await journey.notes(person.phone))[0].startswith("Your Satu Loket registration code: ")


async def test_known_and_unknown_nik_are_answered_alike(journey: Journey) -> None:
    known = somebody()
    await journey.register(known)
    mine, stranger = replace(known, phone=somebody().phone), somebody()
    async with journey.api.client() as client:
        answers = [await journey.start_registration(client, person) for person in (mine, stranger)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({tuple(sorted(answer.json())) for answer in answers}) == 1
    assert len({len(answer.content) for answer in answers}) == 1
    headers = [[k for k in answer.headers if k not in ("x-request-id", "date")] for answer in answers]
    assert headers[0] == headers[1]


async def test_owner_is_told_and_the_other_phone_learns_nothing(journey: Journey) -> None:
    owner = somebody()
    await journey.register(owner)
    await journey.prove(owner)
    intruder = replace(owner, phone=somebody().phone)
    before = await citizens(journey)
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, intruder)).json()
        assert await journey.notes(intruder.phone) == []
        assert "sudah punya akun" in (await journey.notes(owner.phone))[0]
        for code in ("000000", "123456"):
            refused = await journey.confirm(client, started["registration_id"], code)
            assert_problem(refused, 422, "code_wrong")
    assert await citizens(journey) == before


async def test_family_shares_a_phone(journey: Journey) -> None:
    mother = somebody()
    child = replace(somebody("Bintang"), phone=mother.phone)
    first, second = await journey.register(mother), await journey.register(child)
    names = [(await journey.me(tokens["access_token"])).json()["name"] for tokens in (first, second)]
    assert names == ["Ayu Puspita", "Bintang"]


async def test_two_registrations_for_one_nik_make_one_account(journey: Journey) -> None:
    person = somebody()
    other = replace(person, phone=somebody().phone)
    async with journey.api.client() as client:
        ids = [(await journey.start_registration(client, p)).json()["registration_id"] for p in (person, other)]
        codes = [await journey.code(p.phone) for p in (person, other)]
        answers = await asyncio.gather(*(journey.confirm(client, i, c) for i, c in zip(ids, codes, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [201, 503], "the loser may prove it later"
    loser = next(answer for answer in answers if answer.status_code == 503)
    assert_problem(loser, 503, "register_unavailable")


async def test_code_works_once(journey: Journey) -> None:
    person = somebody()
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, person)).json()
        code = await journey.code(person.phone)
        assert (await journey.confirm(client, started["registration_id"], code)).status_code == 201
        again = await journey.confirm(client, started["registration_id"], code)
        assert_problem(again, 422, "code_used")


async def test_code_expires(journey: Journey) -> None:
    person = somebody()
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, person)).json()
        async with journey.database.transaction() as session:
            await session.execute(
                text(
                    "update challenges set expires_at = now() - interval '1 s' where id ="
                    " (select challenge_id from registrations where id = :id)"
                ),
                {"id": started["registration_id"]},
            )
        late = await journey.confirm(client, started["registration_id"], await journey.code(person.phone))
        assert_problem(late, 422, "code_expired")


async def test_code_of_a_registration_opens_no_login(journey: Journey) -> None:
    person = somebody()
    async with journey.api.client() as client:
        await journey.start_registration(client, person)
        async with journey.database.transaction() as session:
            challenge_id = await session.scalar(text("select id from challenges order by id desc limit 1"))
        answer = await journey.answer(client, str(challenge_id), await journey.code(person.phone))
        assert_problem(answer, 404, "not_found")


async def test_unknown_registration(journey: Journey) -> None:
    async with journey.api.client() as client:
        answer = await journey.confirm(client, "0192f5d0-c0de-7000-8000-000000000000", "123456")
        assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("ayupuspita-lucu", "password_personal"),
        ("lahir-05051990-ok", "password_personal"),
        ("Bismillah1234", "password_common"),
        ("aaaaaaaaaaaa", "password_common"),
    ],
)
async def test_weak_password_costs_no_try(journey: Journey, password: str, fault: str) -> None:
    person = somebody()
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, person)).json()
        code = await journey.code(person.phone)
        for _ in range(6):
            refused = await journey.confirm(client, started["registration_id"], code, password)
            errors = assert_problem(refused, 422, "validation_failed")["errors"]
            assert [(error["pointer"], error["code"]) for error in errors] == [("/password", fault)]
        assert (await journey.confirm(client, started["registration_id"], code)).status_code == 201


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"nik": "357102450590912"}, {"/nik"}),
        ({"nik": "3571024505909000"[:12] + "0000"}, {"/nik"}),
        ({"nik": "9971024505909123"}, {"/nik"}),
        ({"nik": "3571024502909123"}, {"/birth_date"}),
        ({"nik": "3571023902909123"}, {"/nik"}),
        ({"nik": "35710245059O9123"}, {"/nik"}),
        ({"nik": "3571025505999123", "birth_date": "2099-05-15"}, {"/nik", "/birth_date"}),
        ({"birth_date": "1990-05-06"}, {"/birth_date"}),
        ({"birth_date": "1890-05-05"}, {"/birth_date"}),
        ({"phone": "0354-771234"}, {"/phone"}),
        ({"phone": "+14155550100"}, {"/phone"}),
        ({"name": "1234"}, {"/name"}),
        ({"name": "Siti\u0001Aminah"}, {"/name"}),
        ({"name": "x" * 101}, {"/name"}),
        ({"name": "R2D2", "phone": "0123456789"}, {"/name", "/phone"}),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_kept(
    journey: Journey, change: dict[str, str], pointers: set[str]
) -> None:
    person = somebody()
    body = {"nik": person.nik, "name": person.name, "birth_date": "1990-05-05", "phone": person.phone}
    async with journey.database.transaction() as session:
        before = await session.scalar(text("select count(*) from challenges"))
    async with journey.api.client() as client:
        refused = await client.post("/v1/login/registrations", json=body | change)
    errors = assert_problem(refused, 422, "validation_failed")["errors"]
    assert {error["pointer"] for error in errors} == pointers
    assert not any(error["detail"].startswith("field.") for error in errors), errors
    async with journey.database.transaction() as session:
        assert await session.scalar(text("select count(*) from challenges")) == before


async def test_nothing_personal_stands_readable_in_the_database(journey: Journey) -> None:
    canary = replace(somebody("Zubaidah Kenari"), phone="+6281290077077")
    await journey.register(canary)
    async with journey.api.client() as client:
        await journey.start_registration(client, replace(canary, nik=somebody().nik))
    async with journey.database.transaction() as session:
        tables = (await session.scalars(text("select tablename from pg_tables where schemaname = 'public'"))).all()
        assert "citizens" in tables
        for table in tables:
            rows = (await session.scalars(text(f'select t::text from "{table}" t'))).all()
            for secret in (canary.nik, canary.phone[3:], "Zubaidah", PASSWORD):
                forms = (secret, secret.encode().hex())
                assert not any(form in row for row in rows for form in forms), f"{secret!r} stands in {table}"


async def test_elder_of_the_last_century_is_believed(journey: Journey) -> None:
    """Two digits of the year may be of either century; the birth date says which."""
    person = replace(somebody(), nik="3571010101249199", birth_date=date(1924, 1, 1), name="Suparman")
    assert (await journey.register(person))["assurance_level"] == 1
