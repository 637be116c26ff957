"""Who looked at my data: every kind of actor in plain words, in both languages; mine alone, and newest first."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.audit.actions import AuditEntry, record_on
from app.audit.chain import link_new
from app.database import Database
from tests.harness.cases import hand_in
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import Citizen, People
from tests.harness.product import Api

PATH = "/v1/me/access-log"
_DELIVERY = "SELECT id::text AS id FROM deliveries WHERE case_id = $1::text::uuid"


@pytest.fixture(scope="module")
async def database(api: Api) -> AsyncIterator[Database]:
    opened = Database(api.settings.database_url, pool_size=2, name="test")
    yield opened
    await opened.close()


@pytest.fixture
async def officer(officers: Officers) -> OfficerAtWork:
    return await officers.make("operator", "dpmptsp")


async def looked_at(citizen: Citizen, officer: OfficerAtWork, database: Database) -> dict[str, Any]:
    """A case of the citizen's, whose delivery the officer reads."""
    case = await hand_in(citizen)
    delivery = (await database.fetch(_DELIVERY, case["id"]))[0]["id"]
    assert (await officer.get(f"/v1/officer/deliveries/{delivery}")).status_code == 200
    return case


async def entries(citizen: Citizen, **asked: str) -> list[dict[str, Any]]:
    answer = await citizen.get(PATH, **asked)
    assert answer.status_code == 200, answer.text
    shown: list[dict[str, Any]] = answer.json()["items"]
    return shown


def entry(citizen: Citizen, **changed: Any) -> AuditEntry:
    values: dict[str, Any] = {
        "actor_kind": "job",
        "actor_id": "deliver.sicantik",
        "action": "case.sent",
        "subject_id": citizen.id,
        "object_kind": "case",
        "object_id": "none",
        "purpose": "outdoor-advertising",
        "legal_basis": "uu-25-2009",
        "fields": ("name", "form"),
    }
    return AuditEntry(**{**values, **changed})


async def test_an_officers_look_is_told_in_plain_words(
    people: People, officer: OfficerAtWork, database: Database
) -> None:
    citizen = await people.make()
    case = await looked_at(citizen, officer, database)
    (shown,) = await entries(citizen)
    assert shown["actor"]["kind"] == "officer"
    assert shown["actor"]["role"] == "operator"
    assert "Operator" in shown["actor"]["text"]
    assert shown["actor"]["mark"] in shown["actor"]["text"]
    assert shown["action_text"] == "Membaca catatan pengiriman permohonan Anda"
    assert shown["purpose_text"].startswith("Izin")
    assert shown["legal_basis_text"] == "UU 25/2009 tentang Pelayanan Publik"
    assert [field["text"] for field in shown["fields"]] == [
        "catatan percobaan pengiriman, dengan data diri disamarkan",
        "tindakan petugas",
    ]
    assert shown["case"]["number"] == case["number"]
    english = await citizen.client.get(PATH, headers={"Accept-Language": "en"})
    assert english.json()["items"][0]["action_text"] == "Read how your case was handed to the agency"


async def test_no_officers_name_is_told_and_the_mark_is_always_the_same(
    people: People, officer: OfficerAtWork, officers: Officers, database: Database
) -> None:
    citizen, other = await people.make(), await officers.make("supervisor", "dpmptsp")
    await looked_at(citizen, officer, database)
    await looked_at(citizen, officer, database)
    await looked_at(citizen, other, database)
    answer = await citizen.get(PATH)
    for each in (officer, other):
        assert each.name not in answer.text
        assert str(each.id) not in answer.text
    assert "Petugas Uji" not in answer.text
    newest, *before = [shown["actor"]["mark"] for shown in answer.json()["items"]]
    assert before[0] == before[1] != newest


async def test_others_see_nothing_of_it_and_reading_it_leaves_no_row(
    people: People, officer: OfficerAtWork, database: Database
) -> None:
    citizen, stranger = await people.make(), await people.make()
    await looked_at(citizen, officer, database)
    count = "SELECT count(*) AS n FROM audit_rows"
    before = (await database.fetch(count))[0]["n"]
    assert await entries(stranger) == []
    assert len(await entries(citizen)) == 1
    assert (await citizen.get(f"{PATH}/export")).status_code == 200
    assert (await database.fetch(count))[0]["n"] == before


async def test_what_an_agency_was_told_as_i_asked_it_is_among_them(people: People, database: Database) -> None:
    citizen = await people.make()
    own = {"actor_kind": "citizen", "actor_id": str(citizen.id)}
    async with database.begin() as connection:
        await record_on(connection, entry(citizen, **own, object_kind="citizen"))
        await record_on(connection, entry(citizen, **own, object_kind="agency", object_id="dinsos"))
    assert [each["actor"]["kind"] for each in await entries(citizen)] == ["self"]
    assert len(await entries(citizen, actor="self")) == 2


async def test_jobs_applications_and_others_are_told_apart(people: People, database: Database) -> None:
    citizen, other = await people.make(), await people.make()
    case = await hand_in(citizen)
    async with database.begin() as connection:
        await record_on(connection, entry(citizen, object_id=case["id"]))
        await record_on(connection, entry(citizen, actor_kind="client", actor_id="gone", purpose="Antrean"))
        await record_on(connection, entry(citizen, actor_kind="citizen", actor_id=str(other.id)))
        await record_on(connection, entry(citizen, actor_kind="officer", actor_id="budi", object_kind="citizen"))
        await record_on(connection, entry(citizen, actor_kind="citizen", actor_id="unproven"))
    shown = await entries(citizen)
    assert [each["actor"]["kind"] for each in shown] == ["officer", "citizen", "client", "job"]
    assert "budi" not in shown[0]["actor"]["text"]
    assert str(other.id) not in str(shown[1])
    assert shown[3]["actor"]["agency"] is not None
    for kind, count in {"officer": 1, "citizen": 1, "client": 1, "job": 1, "self": 2}.items():
        assert [each["actor"]["kind"] for each in await entries(citizen, actor=kind)] == [kind] * count
    assert (await citizen.get(PATH, actor="nobody")).status_code == 400


async def test_pages_follow_each_other_newest_first(people: People, database: Database) -> None:
    citizen = await people.make()
    async with database.begin() as connection:
        for number in range(7):
            await record_on(connection, entry(citizen, actor_kind="officer", fields=(f"n{number}",)))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await citizen.get(PATH, limit="3", **cursor)).json()
        seen += [each["fields"][0]["name"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"n{number}" for number in reversed(range(7))]


async def test_days_are_the_citys(people: People, database: Database) -> None:
    citizen = await people.make()
    async with database.begin() as connection:
        await record_on(connection, entry(citizen))
        today = str(await connection.fetchval("SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date"))
        tomorrow = str(await connection.fetchval("SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date + 1"))
    assert len(await entries(citizen, since=today, until=today)) == 1
    assert await entries(citizen, since=tomorrow) == []
    assert await entries(citizen, until="2026-01-01") == []
    assert len(await entries(citizen, since="0001-01-01", until="9999-12-31")) == 1
    for wrong in ("2026-02-30", "yesterday", ""):
        assert (await citizen.get(PATH, since=wrong)).status_code == 400


async def test_a_row_says_whether_it_is_chained_yet(people: People, database: Database) -> None:
    citizen = await people.make()
    async with database.begin() as connection:
        await record_on(connection, entry(citizen))
    (young,) = await entries(citizen)
    assert young["chain"] is None
    assert await link_new(database)
    (linked,) = await entries(citizen)
    assert linked["chain"]["position"] > 0
    assert len(linked["chain"]["digest"]) == 64


async def test_an_account_that_became_mine_brings_its_rows(people: People, database: Database) -> None:
    citizen, former, oldest = [await people.make() for _ in range(3)]
    async with database.begin() as connection:
        await record_on(connection, entry(former))
        await record_on(connection, entry(oldest))
        for one, into in ((oldest, former), (former, citizen)):
            await connection.execute("UPDATE citizens SET merged_into = $2 WHERE id = $1", one.id, into.id)
    assert len(await entries(citizen)) == 2
