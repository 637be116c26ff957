"""What a household receives: to its members alone, on record with whom it shows, marked where it is old."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from app.assembly import Product, build
from app.errors import NotFound
from app.settings import read_settings
from services.social_aid import entitlements
from services.social_aid.entitlements import read_household
from services.social_aid.port import (
    Entitlement,
    HouseholdAid,
    Member,
)
from tests.harness.aid import BUDI, CHILDREN, HENDRA, RAHMAT, SITI, AgencyDouble, siti
from tests.harness.people import Citizen, People
from tests.harness.product import Sandboxes
from tests.harness.tables import Tables
from tests.harness.tickets import once_open

PATH = "/v1/social-aid/entitlements"
_ASKED = "SELECT * FROM audit_rows WHERE action = 'social_aid.asked' AND subject_id = $1"
_READ = "SELECT * FROM audit_rows WHERE action = 'social_aid.read' AND subject_id = $1"


@pytest.fixture(scope="module")
async def member(people: People, sandboxes: Sandboxes) -> Citizen:
    return await siti(people)


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told is old at once."""
    monkeypatch.setattr(entitlements, "FRESH_S", 0.05)
    monkeypatch.setattr(entitlements, "ASKED_MEANWHILE_S", 0.0)


async def test_a_member_sees_what_the_household_receives(member: Citizen) -> None:
    before = datetime.now(UTC)
    answer = await member.get(PATH)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["state"] == "fresh"
    assert datetime.fromisoformat(told["as_of"]) <= datetime.now(UTC)
    assert (before - datetime.fromisoformat(told["as_of"])).total_seconds() < 60
    assert told["decile"]["value"] == 2
    assert "kelompok ke-2" in told["decile"]["text"]
    assert "bukan Satu Loket" in told["notice"]
    assert [each["name"] for each in told["members"] if each["is_me"]] == ["Siti Aminah"]
    assert len(told["members"]) == 4
    begins = [date.fromisoformat(each["begins_on"]) for each in told["periods"]]
    assert begins == sorted(begins, reverse=True)
    given = [each for period in told["periods"] for each in period["entitlements"]]
    assert {each["programme_name"] for each in given} >= {"Program Keluarga Harapan (PKH)", "Program Sembako"}
    assert all(each["amount_idr"] is None or isinstance(each["amount_idr"], int) for each in given)
    assert {each["state"] for each in given} >= {"paid", "awaiting"}
    assert all(each["state_text"] and each["ground"] for each in given)
    insured = next(each for each in given if each["programme"] == "PBI-JK")
    assert (insured["amount_idr"], len(insured["members"])) == (None, 4)
    assert told["services"]["objection"] == "aid-objection"


async def test_no_whole_nik_is_shown_not_even_ones_own(member: Citizen) -> None:
    shown = (await member.get(PATH)).text
    assert not [nik for nik in (SITI, HENDRA, *CHILDREN) if nik in shown]
    assert "357102********01" in shown


async def test_it_speaks_english(people: People, member: Citizen) -> None:
    answer = await member.client.get(PATH, headers={"Accept-Language": "en"})
    told = answer.json()
    assert "group 2 from below" in told["decile"]["text"]
    assert {each["relation_text"] for each in told["members"]} == {"Head of the family", "Husband or wife", "Child"}


async def test_only_with_proven_identity(people: People, sandboxes: Sandboxes, tables: Tables) -> None:
    claimed = await people.make(assurance_level=1)
    answer = await claimed.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (403, "assurance_level_too_low")
    assert answer.json()["params"] == {"level": 2}
    assert await tables.rows(_ASKED, claimed.id) == []


async def test_who_restricted_what_is_done_with_their_data_is_not_asked_after(people: People, tables: Tables) -> None:
    citizen = await people.make()
    await tables.run("UPDATE citizens SET restricted_at = now() WHERE id = $1", citizen.id)
    answer = await citizen.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (403, "processing_restricted")
    assert await tables.rows(_ASKED, citizen.id) == []


async def test_another_households_nothing(people: People, member: Citizen) -> None:
    neighbour, nobody, stranger = [
        await people.make(nik=nik, name=name) for nik, name in ((BUDI, "Budi Santoso"), (RAHMAT, "Rahmat"), ("", ""))
    ]
    theirs = await neighbour.get(PATH)
    assert [each["name"] for each in theirs.json()["members"] if each["is_me"]] == ["Budi Santoso"]
    assert "Wijaya" not in theirs.text
    for outside in (nobody, stranger):
        answer = await outside.get(PATH)
        assert (answer.status_code, answer.json()["code"]) == (404, "aid_household_unknown")
        assert outside.person.nik not in answer.text


async def test_each_question_to_the_agency_is_on_record(people: People, member: Citizen, tables: Tables) -> None:
    await member.get(PATH)
    [asked] = await tables.rows(_ASKED, member.id)
    assert (asked["actor_kind"], asked["actor_id"]) == ("citizen", str(member.id))
    assert (asked["object_kind"], asked["object_id"], asked["legal_basis"]) == ("agency", "dinsos", "uu-13-2011")
    assert asked["fields"] == '["nik"]'


async def test_who_is_looked_at_finds_the_look_in_their_log(people: People, member: Citizen, tables: Tables) -> None:
    husband = await people.make(nik=HENDRA, name="Hendra Wijaya")
    await member.get(PATH)
    await member.get(PATH)
    looks = await tables.rows(_READ, husband.id)
    assert {look["actor_id"] for look in looks} == {str(member.id)}
    assert len(looks) == 2, "every look is on record, whoever answered it"
    assert HENDRA not in looks[0]["object_id"]
    assert await tables.rows(_READ, member.id) == [], "nobody's look at their own is recorded"


@pytest.mark.parametrize("mode", ["error_503", "reset", "malformed", "hang"])
@pytest.mark.usefixtures("short_memory")
async def test_with_the_agency_down_its_last_word_is_shown_as_old(
    people: People, sandboxes: Sandboxes, mode: str
) -> None:
    known, unknown = await people.make(nik=next(_OTHERS)), await people.make()
    fresh = (await once_open(lambda: known.get(PATH))).json()
    async with sandboxes.bench("dtsen") as bench:
        await bench.fault(mode)
        await asyncio.sleep(0.1)
        shown, refused = await asyncio.gather(known.get(PATH), unknown.get(PATH))
        await bench.heal()
    assert shown.json() == {**fresh, "state": "stale"}
    assert (refused.status_code, refused.json()["code"]) == (503, "agency_unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert max(shown.elapsed, refused.elapsed).total_seconds() < 10


async def test_programmes_are_told_to_all(member: Citizen, people: People) -> None:
    answer = await member.client.get(
        "/v1/social-aid/programmes", headers={"Authorization": "", "Accept-Language": "en"}
    )
    told = answer.json()
    assert {each["kind"] for each in told["items"]} == {"pkh", "sembako", "pbi_jk", "other"}
    assert all(each["about"] and each["eligibility"] and each["legal_basis"] for each in told["items"])
    [insurance] = [each for each in told["items"] if each["kind"] == "pbi_jk"]
    assert insurance["name"] == "Health Insurance Premium Aid (PBI-JK)"
    assert insurance["deciles"] == {"lowest": 1, "highest": 5}


_OTHERS = iter((*CHILDREN, "3571015203889034", "3571016510559035"))


class ToldAgency(AgencyDouble):
    """Tells of a household what the test puts into it."""

    def __init__(self) -> None:
        self.told: HouseholdAid | None = None

    async def household_aid(self, nik: str) -> HouseholdAid | None:
        return self.told


@pytest.fixture(scope="module")
async def product(environment: dict[str, str]) -> AsyncIterator[Product]:
    built = build(read_settings(environment), "test")
    yield built
    await built.close()


def household(*niks: str) -> HouseholdAid:
    members = [Member(nik=nik, name=f"Anggota {at}", relation="child" if at else "head") for at, nik in enumerate(niks)]
    given = Entitlement(
        programme="PKH", begins_on=date(2026, 10, 1), ends_on=date(2026, 12, 31), state="paid", amount_idr=1
    )
    return HouseholdAid(
        reference="KLG-1", members=members, decile=1, entitlements=[given], as_of=datetime.now(UTC), updated_on=None
    )


async def read(citizen_id: UUID, agency: ToldAgency, product: Product) -> HouseholdAid:
    return (await read_household(citizen_id, agency, product.cases)).aid


async def test_a_household_without_its_asker_is_shown_to_nobody(people: People, product: Product) -> None:
    citizen, agency = await people.make(), ToldAgency()
    agency.told = household(BUDI)
    with pytest.raises(NotFound):
        await read(citizen.id, agency, product)


@pytest.mark.usefixtures("short_memory")
async def test_who_has_left_a_household_does_not_see_it_as_old(people: People, product: Product) -> None:
    citizen, agency = await people.make(), ToldAgency()
    agency.told = household(citizen.person.nik, BUDI)
    assert (await read(citizen.id, agency, product)).reference == "KLG-1"
    agency.told = None
    await asyncio.sleep(0.1)
    for _ in range(2):
        with pytest.raises(NotFound):
            await read(citizen.id, agency, product)
