"""A NIK that somebody else registered first: who proves it takes it, and neither sees anything of the other."""

import asyncio
from datetime import date

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from app.login.identity import Person
from tests.app.login.journey import PASSWORD, Journey, assert_problem, hold_register, somebody
from tests.harness.product import Sandboxes

EKO = Person("3571011204889021", "Eko Prasetyo", date(1988, 4, 12), "+6281290019021")
RINA = Person("3571025908929022", "Rina Wulandari", date(1992, 8, 19), "+6281290019022")
HALIMAH = Person("3571014702959024", "Nur Halimah", date(1995, 2, 7), "+6281290019024")
INTAN = Person("3571036503019026", "Intan Permatasari", date(2001, 3, 25), "+6281290019026")


@pytest.fixture(scope="module", autouse=True)
async def register(sandboxes: Sandboxes, environment: dict[str, str]) -> Sandboxes:
    await hold_register(environment)
    return sandboxes


def squatter_of(owner: Person) -> Person:
    """Somebody who knows the NIK and no more."""
    return replace(owner, name="Orang Lain", phone=somebody().phone)


async def value(journey: Journey, statement: str) -> object:
    async with journey.database.transaction() as session:
        return await session.scalar(text(statement))


async def test_the_owner_takes_the_nik_and_nothing_else(journey: Journey) -> None:
    squatter = squatter_of(EKO)
    theirs = await journey.register(squatter)
    mine = await journey.register(EKO)
    assert mine["assurance_level"] == 2
    assert "mendaftar di Satu Loket dengan NIK Anda" in (await journey.notes(squatter.phone))[0]
    assert_problem(await journey.me(theirs["access_token"]), 401, "session_revoked")
    async with journey.api.client() as client:
        assert_problem(await journey.refresh(client, theirs["refresh_token"]), 401, "session_revoked")
        asked = await journey.ask_code(client, squatter.nik, "Kata-Sandi-Orang-9")
        assert asked.status_code == 200
    async with journey.api.client(token=mine["access_token"]) as client:
        assert (await client.get("/v1/inbox")).json()["items"] == [], "the squatter's messages are the squatter's"
        assert (await client.get("/v1/cases")).json()["items"] == []
        assert len((await client.get("/v1/me/sessions")).json()["items"]) == 1
    kept = "select count(*) from messages m join citizens c on c.id = citizen_id where displaced_at is not null"
    assert await value(journey, f"{kept} and key = 'login.identity_differs'") == 1
    assert await value(journey, f"{kept} and key = 'login.nik_proven_by_another'") == 1
    assert await value(journey, "select count(*) from audit_rows where action = 'identity.displace'") == 1
    await journey.log_in(EKO)


async def test_without_proof_the_nik_stays_where_it_is(journey: Journey, sandboxes: Sandboxes) -> None:
    theirs = await journey.register(squatter_of(RINA))
    second = squatter_of(RINA)
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, second)).json()
        refused = await journey.confirm(client, started["registration_id"], await journey.code(second.phone))
        assert_problem(refused, 422, "identity_unproven")
        async with sandboxes.bench("dukcapil") as bench:
            await bench.fault("error_500")
            started = (await journey.start_registration(client, RINA)).json()
            refused = await journey.confirm(client, started["registration_id"], await journey.code(RINA.phone))
            await bench.heal()
        assert_problem(refused, 503, "register_unavailable")
        assert int(refused.headers["retry-after"]) > 0
    assert (await journey.me(theirs["access_token"])).status_code == 200
    assert (await journey.register(RINA))["assurance_level"] == 2, "and once the register answers, it is the owner's"


async def test_a_proven_account_is_taken_by_nobody(journey: Journey) -> None:
    mine = await journey.register(HALIMAH)
    thief = replace(HALIMAH, phone=somebody().phone)
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, thief)).json()
        assert await journey.notes(thief.phone) == [], "no code goes to a stranger's phone"
        for code in ("000000", "123456"):
            assert_problem(await journey.confirm(client, started["registration_id"], code), 422, "code_wrong")
    assert (await journey.me(mine["access_token"])).status_code == 200


async def test_two_who_prove_it_at_once_make_one_account(journey: Journey) -> None:
    await journey.register(squatter_of(INTAN))
    both = [INTAN, replace(INTAN, phone=somebody().phone)]
    async with journey.api.client() as client:
        ids = [(await journey.start_registration(client, each)).json()["registration_id"] for each in both]
        codes = [await journey.code(each.phone) for each in both]
        answers = await asyncio.gather(*(journey.confirm(client, i, c) for i, c in zip(ids, codes, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [201, 422]
    index = journey.vault.index("nik", INTAN.nik).hex()
    assert await value(journey, f"select count(*) from citizens where nik_index = decode('{index}', 'hex')") == 1


async def test_a_recycled_phone_opens_nothing_of_who_had_it(journey: Journey) -> None:
    before = somebody("Pemilik Lama")
    theirs = await journey.register(before)
    after = replace(somebody("Pemilik Baru"), phone=before.phone)
    mine = await journey.register(after)
    assert (await journey.me(mine["access_token"])).json()["name"] == after.name
    async with journey.api.client(token=mine["access_token"]) as client:
        assert len((await client.get("/v1/me/sessions")).json()["items"]) == 1
    async with journey.api.client() as client:
        # The old owner's NIK without the old owner's password: no code comes to the phone that is now another's.
        notes = len(await journey.notes(after.phone))
        assert (await journey.ask_code(client, before.nik, PASSWORD + "!")).status_code == 200
        assert len(await journey.notes(after.phone)) == notes
    assert (await journey.me(theirs["access_token"])).json()["name"] == before.name
