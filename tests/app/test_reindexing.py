"""`loket keys rotate-index`: everybody is found by another key, nobody twice, and at no moment is half of it served."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from app import reindexing
from app.database import Database
from app.keyring import index_rotation
from app.login.accounts import NewAccount, create_account
from app.privacy import open_vault
from app.reindexing import rotate_index, tell_reindexing
from app.settings import SettingsError, read_settings
from tests.app.login.journey import Journey
from tests.harness.acting import PERMIT, TICKET
from tests.harness.cases import hand_in, new_key
from tests.harness.people import PASSWORD, Citizen
from tests.harness.product import Api, Running, running_api
from tests.harness.servers import Servers
from tests.harness.standing import City, written_key
from tests.harness.tickets import ask, take, ticket_form

NOBODY = "3571020101909997"
DELEGATIONS = "/v1/me/delegations"


@pytest.fixture
def city(servers: Servers, environment: dict[str, str], tmp_path: Path) -> Iterator[City]:
    url = servers.create_database()
    own = {"LOKET_DATABASE_URL": servers.serving_url(url), "LOKET_MIGRATION_DATABASE_URL": url}
    yield City.at({**environment, **own, "LOKET_DATA_DIR": str(tmp_path)})
    servers.drop_database(url)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_rotation, "PATIENCE_S", 0.2)


def again(api: Api, citizen: Citizen) -> Citizen:
    """The same person with the token they had, at the API that was started anew."""
    return Citizen(citizen.id, citizen.person, citizen.token, api.client(citizen.token))


async def delegated(delegate: Citizen, nik: str, services: tuple[str, ...] = (PERMIT,)) -> str:
    body = {"nik": nik, "relation": "elder", "services": list(services), "days": 30}
    asked = await delegate.post(DELEGATIONS, body, new_key())
    assert asked.status_code == 201, asked.text
    return str(asked.json()["id"])


@pytest.fixture
async def journey(city: City) -> AsyncIterator[Callable[[Api], Journey]]:
    """Logging in, with the keys after the rotation."""
    settings = read_settings(city.after)
    database = Database(settings.database_url, pool_size=2, name="test")
    yield lambda api: Journey(api, database, open_vault(settings))
    await database.close()


@pytest.mark.usefixtures("sandboxes")
async def test_everybody_is_found_and_nobody_twice(city: City, journey: Callable[[Api], Journey]) -> None:
    with running_api(city.environment) as api:
        async with city.people() as people, api.client() as client:
            ayu, budi, citra = [await people.make() for _ in range(3)]
            granted = await delegated(budi, ayu.person.nik)
            assert (await ayu.post(f"{DELEGATIONS}/{granted}/grant", None)).status_code == 204
            waiting = await delegated(citra, ayu.person.nik)
            await delegated(citra, NOBODY)
            case, ticket = await hand_in(ayu), await take(ayu)
            given = (await ayu.get("/v1/me/consents")).json()
            changed = [UUID((await hand_in(citra))["id"]) for _ in range(2)]
            await client.post("/v1/login/sessions", json={"nik": budi.person.nik, "password": "Salah-Sekali-9"})
            await client.post("/v1/login/sessions", json={"nik": ayu.person.nik, "password": PASSWORD})
    async with city.tables() as tables:
        # As if their forms had been others when they were handed over.
        await tables.run("UPDATE deliveries SET lane = sha256('before') WHERE case_id = ANY($1)", changed)
    before = await city.digests()
    assert len(before) > 8
    former = open_vault(city.settings)
    for citizen in (ayu, budi, citra):
        before |= {former.index(kind, citizen.person.nik).hex() for kind in ("nik", "decoy")}
    said = await city.rotate()
    assert "1 of delegations cannot be derived" in "".join(said)
    assert "2 of deliveries cannot be derived" in "".join(said)
    async with city.tables() as tables:
        assert await tables.value("SELECT actor_id FROM audit_rows WHERE action = 'key.index_rotated'") == "test"
        lanes = await tables.rows("SELECT lane FROM deliveries WHERE case_id = ANY($1)", changed)
        assert lanes[0] == lanes[1], "two that must not be under way at once may be now"
    assert await city.stands() == (0, "")
    everything = await city.everything()
    assert [digest for digest in before if digest in everything] == [], "something stands under the former key"

    with running_api(city.after) as api:
        ayu, budi, citra = [again(api, citizen) for citizen in (ayu, budi, citra)]
        shown = (await ayu.get(f"/v1/cases/{case['id']}")).json()
        assert shown["number"] == case["number"]
        assert (await ayu.get("/v1/me/consents")).json() == given
        await _log_in(journey(api), ayu)
        second = await ask(ayu, ticket_form())
        assert (second.status_code, second.json()["code"]) == (409, "case_exists")
        assert ticket["number"] in second.json()["detail"]
        acting = {"X-Acting-For": granted}
        assert (await budi.client.get(f"/v1/cases/{case['id']}", headers=acting)).status_code == 200
        assert (await ayu.post(f"{DELEGATIONS}/{waiting}/grant", None)).status_code == 204
        later = await delegated(budi, citra.person.nik, (TICKET,))
        assert (await citra.post(f"{DELEGATIONS}/{later}/grant", None)).status_code == 204
        assert [each["state"] for each in (await citra.get(DELEGATIONS)).json()["items"]].count("asked") == 1
        login = journey(api)
        async with login.database.transaction() as session:
            twice = NewAccount(replace(ayu.person, name="Orang Lain"), "x", "id", 2)
            assert await create_account(session, login.vault, twice) is None, "somebody registered twice"
        for citizen in (ayu, budi, citra):
            await citizen.client.aclose()


async def _log_in(journey: Journey, citizen: Citizen) -> None:
    async with journey.api.client() as client:
        asked = await journey.ask_code(client, citizen.person.nik, PASSWORD)
        assert asked.status_code == 200, asked.text
        code = await journey.code(citizen.person.phone)
        answered = await journey.answer(client, asked.json()["challenge_id"], code)
    assert answered.status_code == 201, answered.text


async def test_killed_half_way_it_serves_nobody_and_goes_on(
    city: City, start_process: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reindexing, "BATCH", 2)
    monkeypatch.setattr(reindexing, "TOLD_EVERY_S", -1)
    async with city.people() as people:
        made = [await people.make() for _ in range(5)]
    before = await city.digests()
    with pytest.raises(_Killed):
        await rotate_index(read_settings(city.rotating), _killed_after("2 of 5 citizens"), "test")
    assert (await city.stands())[1] == f"citizens {made[1].id}"
    # The process stands at a lock of ours when it is killed.
    async with city.tables() as tables, tables.connection.transaction():
        await tables.run("SELECT 1 FROM citizens WHERE id = $1 FOR UPDATE", made[4].id)
        running = start_process("keys", "rotate-index", "--officer", "test", **city.rotating)
        running.wait_for(f"going on where the last run ended: citizens {made[1].id}")
        running.kill()
    for environment in (city.environment, city.rotating, city.after):
        with pytest.raises(SettingsError, match=r"is being changed, .* run `loket keys rotate-index` again"):
            await city.start(environment)
    wrong = {**city.rotating, "LOKET_INDEX_KEY": f"{written_key()},{city.old}"}
    with pytest.raises(SettingsError, match="is being changed"):
        await rotate_index(read_settings(wrong), print, "test")
    assert before & await city.digests(), "nothing was left to do"
    assert f"going on where the last run ended: citizens {made[1].id}" in await city.rotate()
    assert not before & await city.digests()
    await city.start(city.after)
    with pytest.raises(SettingsError, match="LOKET_INDEX_KEY is not the key"):
        await city.start(city.environment)
    assert "nothing to do" in (await city.rotate())[-1]


class _Killed(BaseException):
    """As if the process had ended there."""


def _killed_after(words: str) -> Callable[[str], None]:
    begun: list[str] = []

    def say(line: str) -> None:
        begun.extend([line] if begun or line.startswith("from now on") else [])
        if begun and line.endswith(words):
            raise _Killed

    return say


@pytest.mark.usefixtures("impatient")
async def test_it_changes_nothing_while_a_process_is_connected(city: City) -> None:
    async with city.people() as people:
        await people.make()
        with pytest.raises(SettingsError, match=r"still connected to the database: .*loket-test \(\d+\)"):
            await city.rotate()
        await people.make()
    assert await city.stands() == (0, "")
    await city.start(city.environment)
    await city.rotate()


@pytest.mark.usefixtures("impatient")
async def test_who_connects_between_two_looks_is_seen(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that begins just before its start is forbidden: then nothing has been changed yet."""
    await city.start(city.environment)
    late = Database(city.settings.database_url, pool_size=1, name="late")
    look_on = index_rotation.IndexRotation.announce

    async def announce(rotation: index_rotation.IndexRotation) -> None:
        await late.wait()
        await look_on(rotation)

    monkeypatch.setattr(index_rotation.IndexRotation, "announce", announce)
    try:
        with pytest.raises(SettingsError, match="loket-late"):
            await city.rotate()
    finally:
        await late.close()
    await city.start(city.environment)


async def test_a_process_that_had_no_connections_meanwhile_serves_nobody(city: City) -> None:
    await city.start(city.environment)
    running = Database(city.settings.database_url, pool_size=1, name="running")
    running.expect_index_key(open_vault(city.settings).standing["index"][0])
    await city.rotate()
    try:
        with pytest.raises(ConnectionError, match="the index key of this database was changed"):
            await running.fetch("SELECT 1")
        with pytest.raises(ConnectionError, match="the index key of this database was changed"):
            async with running.transaction() as session:
                await session.execute(text("SELECT 1"))
    finally:
        await running.close()


async def test_keys_that_are_not_the_databases_change_nothing(city: City) -> None:
    async with city.people() as people:
        await people.make()
    before = await city.digests()
    other = written_key()
    for changed, words in (
        ({"LOKET_INDEX_KEY": city.new}, "must name two keys"),
        ({"LOKET_INDEX_KEY": f"{city.old},{city.old}"}, "must name two keys"),
        ({"LOKET_INDEX_KEY": ""}, "LOKET_INDEX_KEY is not set"),
        ({"LOKET_INDEX_KEY": f"{city.new},{other}"}, "LOKET_INDEX_KEY is not the key with the id"),
        ({"LOKET_NAMES_KEY": ""}, "LOKET_NAMES_KEY is not the key .* set it to that one"),
        ({"LOKET_NAMES_KEY": other}, "LOKET_NAMES_KEY is not the key"),
        ({"LOKET_DATA_KEY": other}, "LOKET_DATA_KEY lacks the key"),
    ):
        with pytest.raises(SettingsError, match=words):
            await rotate_index(read_settings({**city.rotating, **changed}), print, "test")
    assert await city.digests() == before
    with pytest.raises(SettingsError, match="run `loket keys rotate-index`, or put that one first"):
        await city.start(city.rotating)
    await city.start(city.environment)


async def test_who_could_not_be_found_any_more_stops_it_before_anything_is_changed(city: City) -> None:
    async with city.people() as people:
        citizen = await people.make()
        said: list[str] = []
        await tell_reindexing(read_settings(city.rotating), said.append)
        assert said[-1] == "nothing was changed"
    before = await city.digests()
    async with city.tables() as tables:
        await tables.run("UPDATE citizens SET nik_enc = set_byte(nik_enc, 30, 1 + get_byte(nik_enc, 30) % 255)")
    words = f"1 do not give what they are found by, citizens.nik of {citizen.id}"
    with pytest.raises(SettingsError, match=words):
        await tell_reindexing(read_settings(city.rotating), print)
    with pytest.raises(SettingsError, match=words):
        await city.rotate()
    assert await city.digests() == before
    await city.start(city.environment)


async def test_what_no_nik_has_any_more_stays_so(city: City) -> None:
    """A displaced account, and a deleted one."""
    async with city.people() as people:
        displaced, deleted = await people.make(), await people.make()
    vaults = open_vault(city.settings), open_vault(read_settings(city.after))
    async with city.tables() as tables:
        freed = "UPDATE citizens SET nik_index = $2, displaced_at = now() WHERE id = $1"
        await tables.run(freed, displaced.id, vaults[0].index("displaced", str(displaced.id)))
        await tables.run(
            "UPDATE citizens SET nik_enc = '', nik_index = sha256(('deleted ' || id::text)::bytea) WHERE id = $1",
            deleted.id,
        )
        kept = await tables.value("SELECT nik_index FROM citizens WHERE id = $1", deleted.id)
    await city.rotate()
    async with city.tables() as tables:
        rows = {row["id"]: row["nik_index"] for row in await tables.rows("SELECT id, nik_index FROM citizens")}
    assert rows == {displaced.id: vaults[1].index("displaced", str(displaced.id)), deleted.id: kept}
