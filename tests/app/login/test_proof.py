"""What the population register says of who registers, and what becomes of those of whom it says nothing yet."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID

import pytest
from msgspec.structs import replace

from app.assembly import Product, build
from app.jobs import RetryLater
from app.login.identity import Person
from app.login.identity_checks import CheckIdentity, asking, check_again, sweep
from app.login.port import Claim, LoginPort, Standing
from app.login.proof import NOW, NotLearned, Proof
from tests.app.login.journey import PASSWORD, Journey, assert_problem, hold_register, somebody
from tests.harness.product import Api, Running, Sandboxes
from tests.harness.tables import Tables

EKO = Person("3571011204889021", "Eko Prasetyo", date(1988, 4, 12), "+6281290019021")
RINA = Person("3571025908929022", "Rina Wulandari", date(1992, 8, 19), "+6281290019022")
HENDRA = Person("3571033006799023", "Hendra Gunawan", date(1979, 6, 30), "+6281290019023")
SLAMET = Person("3571020111669025", "Slamet Riyadi", date(1966, 11, 1), "+6281290019025")
UNUSABLE = {
    "deceased": Person("3571010101609011", "Suparman", date(1960, 1, 1), "+6281290019011"),
    "double": Person("3571026502759012", "Sri Wahyuni", date(1975, 2, 25), "+6281290019012"),
    "inactive": Person("3571031203829014", "Agus Setiawan", date(1982, 3, 12), "+6281290019014"),
}
CLAIM = Claim(EKO.nik, EKO.name, EKO.birth_date)
LONGEST_S = 90


@pytest.fixture(scope="module", autouse=True)
async def register(sandboxes: Sandboxes, environment: dict[str, str]) -> Sandboxes:
    await hold_register(environment)
    return sandboxes


@pytest.fixture
async def tables(journey: Journey) -> AsyncIterator[Tables]:
    async with Tables(journey.api.settings.database_url) as opened:
        yield opened


@pytest.fixture
async def product(api: Api) -> AsyncIterator[Product]:
    """The worker's parts, to run its jobs at the moment a test chooses."""
    built = build(api.settings, "test")
    yield built
    await built.close()


async def told(journey: Journey, access_token: str) -> list[str]:
    """The inbox, newest first."""
    async with journey.api.client(token=access_token) as client:
        return [item["text"] for item in (await client.get("/v1/inbox")).json()["items"]]


async def test_matched_is_level_two_at_once_and_on_record(journey: Journey, tables: Tables) -> None:
    tokens = await journey.register(EKO)
    assert tokens["assurance_level"] == 2
    assert (await journey.me(tokens["access_token"])).json()["assurance_level"] == 2
    assert await told(journey, tokens["access_token"]) == []
    rows = await tables.rows("SELECT * FROM audit_rows WHERE action = 'identity.compare' ORDER BY id DESC LIMIT 1")
    mine = await tables.value("SELECT id FROM citizens ORDER BY id DESC LIMIT 1")
    assert [(row["actor_kind"], row["subject_id"], row["purpose"]) for row in rows] == [
        ("citizen", mine, "identity-proof")
    ]
    assert EKO.nik not in str(rows)
    assert await tables.value("SELECT standing FROM identity_checks WHERE citizen_id = $1", mine) == "matched"


async def test_another_name_is_level_one_and_says_what_to_do(journey: Journey) -> None:
    tokens = await journey.register(replace(RINA, name="Rini Wulansari"))
    assert tokens["assurance_level"] == 1
    assert "tidak sama dengan data kependudukan" in (await told(journey, tokens["access_token"]))[0]


async def test_unknown_to_the_register_is_level_one(journey: Journey) -> None:
    tokens = await journey.register(somebody())
    assert tokens["assurance_level"] == 1
    assert "tidak ditemukan di data kependudukan" in (await told(journey, tokens["access_token"]))[0]


@pytest.mark.parametrize("standing", UNUSABLE)
async def test_an_unusable_entry_is_told_to_who_has_the_code_and_to_nobody_else(
    journey: Journey, tables: Tables, standing: str
) -> None:
    person, stranger = UNUSABLE[standing], somebody()
    async with journey.api.client() as client:
        before = await tables.counts()
        answers = [await journey.start_registration(client, each) for each in (person, stranger)]
        assert {(answer.status_code, len(answer.content)) for answer in answers} == {(202, len(answers[0].content))}
        registration_id = answers[0].json()["registration_id"]
        wrong = await journey.confirm(client, registration_id, "000000")
        assert_problem(wrong, 422, "code_wrong")
        refused = await journey.confirm(client, registration_id, await journey.code(person.phone))
        problem = assert_problem(refused, 422, f"identity_{standing}")
        assert "Dinas Dukcapil" in problem["detail"]
        again = await journey.confirm(client, registration_id, await journey.code(person.phone))
        assert_problem(again, 422, "code_used")
    after = await tables.counts()
    untouched = ("citizens", "contacts", "credentials", "identity_checks", "messages", "sessions", "refresh_tokens")
    assert [after[name] for name in untouched] == [before[name] for name in untouched]
    assert after["audit_rows"] == before["audit_rows"] + 1


@pytest.mark.parametrize("mode", ["hang", "error_500", "reset", "malformed", "bad_auth"])
async def test_a_register_out_of_reach_costs_no_account(journey: Journey, sandboxes: Sandboxes, mode: str) -> None:
    person = somebody()
    async with sandboxes.bench("dukcapil") as bench, journey.api.client() as client:
        await bench.fault(mode)
        started = (await journey.start_registration(client, person)).json()
        code = await journey.code(person.phone)
        # The client waits for 30 s, and one that hangs answers never.
        confirmed = await journey.confirm(client, started["registration_id"], code)
        await bench.heal()
    assert confirmed.status_code == 201
    assert confirmed.json()["assurance_level"] == 1
    assert "akan kami periksa lagi nanti" in (await told(journey, confirmed.json()["access_token"]))[0]


async def test_asked_again_later_and_raised_at_the_next_refresh(
    journey: Journey, sandboxes: Sandboxes, product: Product, tables: Tables
) -> None:
    async with sandboxes.bench("dukcapil") as bench:
        await bench.fault("error_500")
        tokens = await journey.register(HENDRA)
        citizen_id = await tables.value("SELECT citizen_id FROM identity_checks ORDER BY created_at DESC LIMIT 1")
        job = CheckIdentity(citizen_id)
        with pytest.raises(RetryLater) as later:
            await check_again(product.gate, job)
        assert 60 <= later.value.delay_s <= 600
        await bench.heal()
    await check_again(product.gate, job)
    await check_again(product.gate, job)
    assert await tables.value("SELECT tries FROM identity_checks WHERE citizen_id = $1", citizen_id) == 1
    asked = "SELECT count(*) FROM audit_rows WHERE subject_id = $1 AND action = $2"
    assert await tables.value(asked, citizen_id, "identity.compare") == 3, "the second job had nothing to ask"
    assert await tables.value(asked, citizen_id, "identity.prove") == 1
    assert (await journey.me(tokens["access_token"])).status_code == 200, "nobody is logged out"
    async with journey.api.client() as client:
        refreshed = (await journey.refresh(client, tokens["refresh_token"])).json()
    assert refreshed["assurance_level"] == 2
    inbox = await told(journey, refreshed["access_token"])
    assert len(inbox) == 2
    assert "sudah cocok" in inbox[0]


async def test_who_waits_without_a_job_gets_one(journey: Journey, product: Product, tables: Tables) -> None:
    await journey.register(somebody())
    citizen_id = await tables.value("SELECT citizen_id FROM identity_checks ORDER BY created_at DESC LIMIT 1")
    await tables.run(
        "UPDATE identity_checks SET standing = 'pending', created_at = now() - interval '3 h' WHERE citizen_id = $1",
        citizen_id,
    )
    before = await tables.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'login.identity'")
    await sweep(product.database)
    await sweep(product.database)
    assert await tables.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'login.identity'") == before + 1


async def test_a_spent_quota_is_not_asked_again_today(
    journey: Journey, sandboxes: Sandboxes, product: Product, tables: Tables
) -> None:
    async with sandboxes.bench("dukcapil") as bench:
        await bench.quirks(access="quota_spent")
        with pytest.raises(NotLearned, match="quota_spent") as first:
            await product.gate.proof.compare(CLAIM, asking(await anybody(tables)), NOW)
        await bench.quirks()
    asked = await tables.value("SELECT max(asked) FROM register_days")
    with pytest.raises(NotLearned) as second:
        await product.gate.proof.compare(CLAIM, asking(await anybody(tables)), NOW)
    assert 0 < second.value.retry_after_s <= first.value.retry_after_s <= 86_400
    assert await tables.value("SELECT max(asked) FROM register_days") == asked


async def test_no_more_is_asked_than_the_quota_however_many_ask_at_once(journey: Journey, tables: Tables) -> None:
    register = Generous()
    await tables.run("DELETE FROM register_days")
    proofs = [Proof(journey.database, register) for _ in range(3)]
    entry = asking(await anybody(tables))
    asked = [proofs[n % 3].compare(CLAIM, entry, NOW) for n in range(30)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers.count("matched") == register.asked == Generous.daily_quota
    assert all(isinstance(answer, NotLearned) for answer in answers if answer != "matched")


async def test_a_confirmation_sent_twice_at_once_asks_once(journey: Journey, tables: Tables) -> None:
    person = somebody()
    async with journey.api.client() as client:
        started = (await journey.start_registration(client, person)).json()
        code = await journey.code(person.phone)
        before = await tables.value("SELECT coalesce(max(asked), 0) FROM register_days")
        both = [journey.confirm(client, started["registration_id"], code, PASSWORD) for _ in range(5)]
        answers = await asyncio.gather(*both)
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 4
    assert await tables.value("SELECT max(asked) FROM register_days") == before + 1


async def test_a_worker_does_it(journey: Journey, sandboxes: Sandboxes, tables: Tables, worker: Running) -> None:
    async with sandboxes.bench("dukcapil") as bench:
        await bench.fault("error_500")
        await journey.register(SLAMET)
        await bench.heal()
    citizen_id = await tables.value("SELECT citizen_id FROM identity_checks ORDER BY created_at DESC LIMIT 1")
    await tables.run("UPDATE pgqueuer SET execute_after = now() WHERE entrypoint = 'login.identity'")
    level, deadline = 1, time.monotonic() + LONGEST_S
    while level == 1 and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        level = await tables.value("SELECT assurance_level FROM citizens WHERE id = $1", citizen_id)
    assert level == 2, worker.output()


class Generous(LoginPort):
    """A register that everybody matches, and that counts."""

    daily_quota = 7

    def __init__(self) -> None:
        self.asked = 0

    async def compare(self, claim: Claim) -> Standing:
        self.asked += 1
        return "matched"


async def anybody(tables: Tables) -> UUID:
    found: UUID = await tables.value("SELECT id FROM citizens LIMIT 1")
    return found
