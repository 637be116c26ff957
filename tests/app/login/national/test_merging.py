"""One person, one account: what each of two accounts did is in one afterwards, or neither has changed."""

import pytest
from sqlalchemy import func, select

from app.cases.models import Case
from app.login.models import Citizen as Account
from app.login.models import Session
from app.login.national.merging import merge
from tests.app.login.journey import Journey, assert_problem
from tests.harness.cases import SERVICE, new_key
from tests.harness.national import Phone
from tests.harness.people import Citizen, People
from tests.harness.product import Api

SITI, BUDI, DEWI, RAHMAT = "3571024505909001", "3571011708859002", "3571036011009003", "3571010101759004"
AGUS = "3571021001959006"


async def draft(citizen: Citizen) -> str:
    answer = await citizen.post("/v1/cases", {"service": SERVICE, "form": {}, "draft": True}, key=new_key())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def cases(api: Api, token: str) -> set[str]:
    async with api.client(token=token) as http:
        return {each["id"] for each in (await http.get("/v1/cases")).json()["items"]}


async def test_the_own_nik_proven_raises_the_account(api: Api, phone: Phone, people: People) -> None:
    siti = await people.make(nik=SITI, assurance_level=1)
    kept = await draft(siti)
    answer = await phone.connect(siti, await phone.code(SITI))
    assert answer.status_code == 201, answer.text
    assert answer.json()["assurance_level"] == 3
    token = answer.json()["access_token"]
    assert await cases(api, token) == {kept}
    async with api.client(token=token) as http:
        known = (await http.get("/v1/me")).json()
    assert (known["id"], known["name"], known["assurance_level"]) == (str(siti.id), "Siti Aminah", 2)
    assert (await siti.get("/v1/me")).status_code == 401, "the session before the proof has ended"


async def test_an_unproven_account_becomes_one_with_the_proven_one(
    api: Api, phone: Phone, people: People, journey: Journey
) -> None:
    proven, unproven = await people.make(nik=BUDI, assurance_level=2), await people.make(assurance_level=1)
    theirs, own = await draft(proven), {await draft(unproven), await draft(unproven)}
    answer = await phone.connect(unproven, await phone.code(BUDI))
    assert answer.status_code == 201, answer.text
    token = answer.json()["access_token"]
    assert await cases(api, token) == own | {theirs}
    assert await cases(api, proven.token) == own | {theirs}
    assert (await unproven.get("/v1/me")).status_code == 401
    async with journey.database.transaction() as session:
        row = await session.get_one(Account, unproven.id)
        living = await session.scalar(
            select(func.count())
            .select_from(Session)
            .where(Session.citizen_id == unproven.id, Session.revoked_at.is_(None))
        )
    assert row.merged_into == proven.id
    assert living == 0
    again = await people.make(nik=unproven.person.nik)
    assert again.id != unproven.id, "the NIK is free for whoever it is of"


async def test_standing_consents_of_both_do_not_collide(
    api: Api, phone: Phone, people: People, journey: Journey
) -> None:
    """The one the other has too stays with the account it was given in: nothing is lost, and nothing doubled."""
    proven, unproven = await people.make(nik=RAHMAT, assurance_level=2), await people.make(assurance_level=1)
    offered = (await proven.get("/v1/me/consents")).json()["offered"]
    assert offered
    for citizen in (proven, unproven):
        for each in offered:
            body = {"purpose": each["purpose"], "version": each["version"]}
            given = await citizen.post("/v1/me/consents", body)
            assert given.status_code in (200, 201), given.text
    answer = await phone.connect(unproven, await phone.code(RAHMAT))
    assert answer.status_code == 201, answer.text


async def test_a_proven_account_is_joined_with_nobody_elses(
    api: Api, phone: Phone, people: People, journey: Journey
) -> None:
    somebody = await people.make(assurance_level=2)
    mine = await draft(somebody)
    code = await phone.code(DEWI)
    assert_problem(await phone.connect(somebody, code), 409, "identity_other_person")
    assert await cases(api, somebody.token) == {mine}, "the session lives, and nothing has moved"
    assert (await phone.exchange(code)).status_code == 201, "the code is still its owner's"


async def test_an_unproven_account_with_my_nik_is_mine_or_makes_way(
    api: Api, phone: Phone, people: People, journey: Journey
) -> None:
    squatter = await people.make(nik=AGUS, assurance_level=1, name="Bukan Agus")
    kept = await draft(squatter)
    code = await phone.code(AGUS)
    assert_problem(await phone.exchange(code), 409, "account_unproven")
    assert (await squatter.get("/v1/me")).status_code == 200, "until its owner says so, nothing happens"
    answer = await phone.exchange(code, claim=True)
    assert answer.status_code == 201, answer.text
    assert await cases(api, answer.json()["access_token"]) == set(), "nothing of a squatter's passes on"
    assert (await squatter.get("/v1/me")).status_code == 401
    async with journey.database.transaction() as session:
        owner = await session.scalar(select(Case.citizen_id).where(Case.id == kept))
    assert owner == squatter.id


async def test_a_merge_that_fails_changes_nothing(api: Api, people: People, journey: Journey) -> None:
    """All of it is one transaction: here its last step is never reached."""
    first, second = await people.make(assurance_level=1), await people.make(assurance_level=2)
    kept = await draft(first)

    async def cut_off() -> None:
        async with journey.database.transaction() as session:
            await merge(session, journey.vault, first.id, second.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await cut_off()
    assert await cases(api, first.token) == {kept}
    assert await cases(api, second.token) == set()
