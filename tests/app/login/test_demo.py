"""The demo's citizens: made once, fictitious, never in production."""

from datetime import date

import pytest
from lokal.nik import parse_nik
from msgspec.structs import replace

from app.login.demo import DEMO_CITIZENS, DEMO_PASSWORD, demo_token, seed_demo
from app.login.identity import checked_person
from app.login.passwords import password_faults
from app.settings import Settings, SettingsError
from tests.app.login.journey import Journey


async def _seed(journey: Journey, settings: Settings) -> int:
    async with journey.database.transaction() as session:
        return await seed_demo(session, journey.vault, settings)


async def test_seeded_once_and_can_log_in(journey: Journey) -> None:
    assert await _seed(journey, journey.api.settings) == len(DEMO_CITIZENS)
    assert await _seed(journey, journey.api.settings) == 0
    levels = []
    for demo in DEMO_CITIZENS:
        async with journey.api.client() as client:
            asked = await journey.ask_code(client, demo.person.nik, DEMO_PASSWORD)
            code = await journey.code(demo.person.phone)
            answered = await journey.answer(client, asked.json()["challenge_id"], code)
        assert answered.status_code == 201
        levels.append(answered.json()["assurance_level"])
    assert levels == [2, 2, 2, 1]
    token = await demo_token(journey.database, journey.vault, journey.api.settings, DEMO_CITIZENS[0].person.nik)
    assert (await journey.me(token)).json()["name"] == "Siti Aminah"


async def test_never_in_production(journey: Journey) -> None:
    production = replace(journey.api.settings, env="production")
    with pytest.raises(SettingsError):
        await _seed(journey, production)
    with pytest.raises(SettingsError):
        await demo_token(journey.database, journey.vault, production, DEMO_CITIZENS[0].person.nik)


async def test_token_for_nobody_else(journey: Journey) -> None:
    with pytest.raises(KeyError):
        await demo_token(journey.database, journey.vault, journey.api.settings, "3571024505909777")


def test_demo_people_would_pass_as_anybody() -> None:
    for demo in DEMO_CITIZENS:
        person = demo.person
        today = date(2026, 11, 21)
        assert checked_person(person.nik, person.name, person.birth_date, person.phone, today=today) == person
        assert parse_nik(person.nik).serial in {f"900{n}" for n in range(1, 10)}, "the fictitious band"
        assert password_faults(DEMO_PASSWORD, person) == []
