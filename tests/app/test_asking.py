"""The second net tested alone: statements that name no owner, on connections that say who asks.

And the rights of the role that serves: nothing of the audit can be changed or taken away by it.
"""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from app.asking import CITY, as_agency, as_citizen, asking, said_for
from app.audit.chain import link_new
from app.database import Base, Database
from app.personal import NOBODYS
from app.tables import import_models
from tests.harness.cases import hand_in
from tests.harness.people import Citizen, People
from tests.harness.product import Api
from tests.harness.servers import Servers

# Whose each row is, with the owner filter taken away.
OWNERS = {
    "cases": "SELECT citizen_id FROM cases",
    "case_events": "SELECT cases.citizen_id FROM case_events LEFT JOIN cases ON cases.id = case_id",
    "deliveries": "SELECT cases.citizen_id FROM deliveries LEFT JOIN cases ON cases.id = case_id",
    "attachments": "SELECT citizen_id FROM attachments",
    "idempotency_keys": "SELECT citizen_id FROM idempotency_keys",
    "consents": "SELECT citizen_id FROM consents",
    "messages": "SELECT citizen_id FROM messages",
    "sessions": "SELECT citizen_id FROM sessions",
    "credentials": "SELECT citizen_id FROM credentials",
    "contacts": "SELECT citizen_id FROM contacts",
    "passkeys": "SELECT citizen_id FROM passkeys",
    "phone_changes": "SELECT citizen_id FROM phone_changes",
    "citizens": "SELECT id AS citizen_id FROM citizens",
}
# What an officer of the agency sees of its citizens.
AGENCYS = ("cases", "case_events", "deliveries", "attachments", "contacts", "citizens")
_BACKDATED = (
    "INSERT INTO audit_rows (at, actor_kind, actor_id, action, object_kind, object_id, purpose, legal_basis) "
    "VALUES ('2020-01-01', 'officer', 'a', 'a', 'a', 'a', 'a', 'a')"
)
CHANGES = ("UPDATE cases SET rating = 1", "DELETE FROM consents", "UPDATE sessions SET revoked_at = now()")
_CONSENT = "INSERT INTO consents (id, citizen_id, purpose, text_version) VALUES (gen_random_uuid(), $1, 'test', 1)"
_PASSKEY = (
    "INSERT INTO passkeys (id, citizen_id, credential_id, public_key, sign_count, backed_up) "
    "VALUES (gen_random_uuid(), $1, uuid_send(gen_random_uuid()), '', 0, false)"
)
_PHONE = "INSERT INTO phone_changes (citizen_id, phone_enc, expires_at) VALUES ($1, '', now())"
_MESSAGE = "INSERT INTO messages (id, citizen_id, key, params) VALUES (gen_random_uuid(), $1, 'test', '{}')"


@pytest.fixture(scope="module")
async def database(api: Api) -> AsyncIterator[Database]:
    opened = Database(api.settings.database_url, pool_size=3, name="test")
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def two(people: People, database: Database) -> list[Citizen]:
    """Two citizens who have one of everything."""
    made = [await people.make() for _ in range(2)]
    for citizen in made:
        await hand_in(citizen)
        async with database.connection() as connection:
            await connection.execute(_CONSENT, citizen.id)
            await connection.execute(_MESSAGE, citizen.id)
            await connection.execute(_PASSKEY, citizen.id)
            await connection.execute(_PHONE, citizen.id)
    return made


async def owners(database: Database, table: str) -> set[object]:
    return {row["citizen_id"] for row in await database.fetch(OWNERS[table])}


@pytest.mark.parametrize("table", OWNERS)
async def test_without_the_owner_in_the_query_a_citizen_still_sees_their_own_only(
    database: Database, two: list[Citizen], table: str
) -> None:
    one, other = two
    assert {one.id, other.id} <= await owners(database, table), "the product sees both, else this shows nothing"
    for citizen in two:
        with asking(as_citizen(citizen.id)):
            assert await owners(database, table) == {citizen.id}
    with asking(as_citizen(uuid4())):
        assert await owners(database, table) == set()


@pytest.mark.parametrize("table", OWNERS)
async def test_an_officer_sees_their_agencys(database: Database, two: list[Citizen], table: str) -> None:
    both = {citizen.id for citizen in two}
    for who in (as_agency("dpmptsp"), CITY):
        with asking(who):
            assert await owners(database, table) == (both if table in AGENCYS else set())
    with asking(as_agency("dinkes")):
        assert await owners(database, table) == set()


@pytest.mark.parametrize("table", OWNERS)
async def test_who_says_nothing_sees_nothing(database: Database, two: list[Citizen], table: str) -> None:
    assert two
    with asking(""):
        assert await owners(database, table) == set()


async def test_every_way_to_the_database_carries_who_asks(database: Database, two: list[Citizen]) -> None:
    one = two[0]
    count = "SELECT count(DISTINCT citizen_id) FROM cases"
    with asking(as_citizen(one.id)):
        async with database.connection() as connection:
            assert await connection.fetchval(count) == 1
        async with database.begin() as connection:
            assert await connection.fetchval(count) == 1
        async with database.transaction() as session:
            assert (await (await session.connection()).exec_driver_sql(count)).scalar() == 1
    said = f"SELECT DISTINCT citizen_id FROM cases WHERE {said_for('$1')}"
    assert [row["citizen_id"] for row in await database.fetch_said(said, one.id)] == [one.id]
    async with database.connection() as connection:
        assert await connection.fetchval(count) == 2, "the next borrower is not that citizen any more"


async def test_askers_on_shared_connections_never_see_each_others(database: Database, two: list[Citizen]) -> None:
    """More askers than connections, in turns, some cut off in the middle."""

    async def ask(citizen: Citizen, number: int) -> None:
        with asking(as_citizen(citizen.id)):
            async with asyncio.timeout(0.001 if number % 5 == 0 else 30):
                assert await owners(database, "cases") == {citizen.id}

    answers = await asyncio.gather(*(ask(two[n % 2], n) for n in range(120)), return_exceptions=True)
    assert {type(answer) for answer in answers} <= {type(None), TimeoutError}
    assert answers.count(None) >= 90
    assert {citizen.id for citizen in two} <= await owners(database, "cases")


async def test_nothing_is_written_or_changed_for_another(database: Database, two: list[Citizen]) -> None:
    one, other = two
    with asking(as_citizen(one.id)):
        async with database.connection() as connection:
            for change in CHANGES:
                assert await connection.execute(f"{change} WHERE citizen_id = $1", other.id) in ("UPDATE 0", "DELETE 0")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await connection.execute(_CONSENT, other.id)
    assert other.id in await owners(database, "consents")


@pytest.mark.parametrize(
    "forbidden",
    [
        *(
            f"{verb} {table}"
            for table in ("audit_rows", "audit_links")
            for verb in ("DELETE FROM", "TRUNCATE", "DROP TABLE")
        ),
        "UPDATE audit_rows SET actor_id = 'nobody'",
        "UPDATE audit_links SET digest = ''",
        "ALTER TABLE audit_rows DISABLE TRIGGER only_grows",
        "ALTER TABLE cases DISABLE ROW LEVEL SECURITY",
        "DROP POLICY asker ON cases",
        "SET session_replication_role = replica",
        "UPDATE alembic_version SET version_num = '0001'",
        _BACKDATED,
    ],
)
async def test_the_role_that_serves_cannot(database: Database, two: list[Citizen], forbidden: str) -> None:
    await link_new(database)
    before = await database.fetch("SELECT count(*) FROM audit_rows")
    async with database.connection() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(forbidden)
    assert two
    assert await database.fetch("SELECT count(*) FROM audit_rows") == before


async def test_no_table_of_a_citizens_is_forgotten(database: Database, servers: Servers) -> None:
    """Every table that names a citizen or a case, or says that it holds something of one, is under the net, or stands
    here with its reason."""
    by_secret = "looked up by the digest of a secret, before anybody is known"
    excused = {
        "challenges": "looked up by an unguessable id before anybody is known",
        "registrations": "of whom nobody knows yet, looked up as challenges are",
        "code_tries": "counted under a keyed index before anybody is known",
        "audit_rows": "names subjects, not owners; read by the access log alone",
        "callback_receipts": "what agencies told, under their own numbers; read where they are heard",
        "outgoing_messages": "sealed, or of a message, which is under the net",
        **dict.fromkeys(("refresh_tokens", "client_tokens", "browser_logins", "national_logins"), by_secret),
    }
    rows = await database.fetch(
        "SELECT relname, bool_or(attname IN ('citizen_id', 'case_id', 'subject_id')) AS names_one "
        "FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND NOT relrowsecurity GROUP BY relname"
    )
    import_models()
    holding = {each.class_.__tablename__ for each in Base.registry.mappers if each.class_.personal != NOBODYS}
    assert {row["relname"] for row in rows if row["names_one"] or row["relname"] in holding} == set(excused)
    assert servers.serving
