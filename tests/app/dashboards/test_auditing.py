"""The auditor's view over HTTP: searched, read by whom, handed out, verified by a worker; each of these is a row."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from app.assembly import Product
from app.audit.anchor_file import anchor_file
from app.audit.chain import link_new
from app.audit.keeping import anchor_head
from app.cursor import encode_cursor
from app.dashboards.auditing.search import NEWEST_READ, Page, Wanted, search
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from tests.harness.cases import hand_in
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.people import People
from tests.harness.product import Api, Running
from tests.harness.tables import Tables

AUDIT = "/v1/officer/audit"
MANY = 120_000
_BULK = """
INSERT INTO audit_rows (at, actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis)
SELECT now() - interval '400 days' + n * interval '4 minutes', 'job', 'bulk.' || n % 7, 'bulk.read',
    ('00000000-0000-7000-8000-' || lpad((n % 5000)::text, 12, '0'))::uuid, 'case', 'bulk-' || n, 'bulk', 'uu-25-2009'
FROM generate_series(1, $1::int) AS n
"""
_BUSY = """
INSERT INTO audit_rows (at, actor_kind, actor_id, action, subject_id, object_kind, object_id, purpose, legal_basis)
SELECT now() - interval '50 days' + n * interval '1 minute', 'job', $2,
    CASE n / 7 % 2 WHEN 0 THEN 'busy.read' ELSE 'busy.sent' END,
    ('00000000-0000-7000-9000-' || lpad((n % $3::int)::text, 12, '0'))::uuid, 'case', '', 'bulk', 'uu-25-2009'
FROM generate_series(1, $1::int) AS n
"""
_READ_BY = """
SELECT subject_id, action, count(*) AS times FROM audit_rows WHERE actor_id = $1
GROUP BY subject_id, action ORDER BY max(at) DESC LIMIT 200
"""


async def searched(auditor: OfficerAtWork, **conditions: str) -> list[dict[str, Any]]:
    answer = await auditor.get(f"{AUDIT}/rows", **conditions)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_found_by_nik_case_actor_action_and_day(officers: Officers, people: People) -> None:
    auditor, operator = await officers.make("auditor"), await officers.make("operator")
    citizen, other = await people.make(), await people.make()
    case = await hand_in(citizen)
    await hand_in(other)
    [delivery] = (await operator.get("/v1/officer/deliveries", case=case["number"])).json()["items"]
    assert (await operator.get(f"/v1/officer/deliveries/{delivery['id']}")).status_code == 200
    found = await auditor.post(f"{AUDIT}/subjects", {"nik": citizen.person.nik})
    assert found.json() == {"subject_id": str(citizen.id)}
    of_citizen = await searched(auditor, subject=str(citizen.id))
    assert {row["subject_id"] for row in of_citizen} == {str(citizen.id)}
    [read] = [row for row in of_citizen if row["action"] == "delivery.read"]
    assert (read["actor_id"], read["actor"], read["object_id"]) == (str(operator.id), operator.name, delivery["id"])
    assert {row["action"] for row in await searched(auditor, case=case["number"])} >= {"case.submit", "delivery.read"}
    by_name = await searched(auditor, actor=operator.name)
    assert (
        [row["id"] for row in by_name]
        == [read["id"]]
        == [row["id"] for row in await searched(auditor, actor=str(operator.id), action="delivery.read")]
    )
    assert await searched(auditor, actor=operator.name, until="2020-01-01") == []
    for edge in ("0001-01-01", "9999-12-31"):
        assert len(await searched(auditor, actor=operator.name, since="0001-01-01", until=edge)) == (edge > "2")
    late = encode_cursor((datetime.max.replace(tzinfo=timezone(timedelta(hours=-23))), 1))
    assert (await auditor.get(f"{AUDIT}/rows", cursor=late)).json()["code"] == "cursor_invalid"
    assert (await auditor.post(f"{AUDIT}/subjects", {"nik": "3571011234567890"})).json()["code"] == "subject_unknown"


async def test_who_read_whom(officers: Officers, people: People) -> None:
    auditor, operator = await officers.make("auditor"), await officers.make("supervisor")
    citizen = await people.make()
    case = await hand_in(citizen)
    [delivery] = (await operator.get("/v1/officer/deliveries", case=case["number"])).json()["items"]
    for _ in range(3):
        await operator.get(f"/v1/officer/deliveries/{delivery['id']}")
    readers = (await auditor.get(f"{AUDIT}/readings", subject=str(citizen.id))).json()["items"]
    [reading] = [each for each in readers if each["action"] == "delivery.read"]
    assert (reading["actor"], reading["times"]) == (operator.name, 3)
    [read] = (await auditor.get(f"{AUDIT}/readings", actor=operator.name)).json()["items"]
    assert (read["subject_id"], read["times"]) == (str(citizen.id), 3)
    assert (await auditor.get(f"{AUDIT}/readings")).json()["code"] == "readings_of_nobody"


async def test_whom_a_busy_actor_read_last(officers: Officers, tables: Tables) -> None:
    """However many rows there are, and whether they are of a few people or of many."""
    auditor = await officers.make("auditor")
    for actor, people in (("busy.many", 3000), ("busy.few", 7)):
        await tables.run(_BUSY, NEWEST_READ + 1000, actor, people)
        expected = await tables.rows(_READ_BY, actor)
        found = (await auditor.get(f"{AUDIT}/readings", actor=actor)).json()["items"]
        told = [(each["subject_id"], each["action"], each["times"]) for each in found]
        assert told == [(str(row["subject_id"]), row["action"], row["times"]) for row in expected]
        assert len(told) == (200 if people > 200 else 2 * people)


async def test_the_search_is_in_the_record_and_no_nik_is(officers: Officers, people: People, tables: Tables) -> None:
    auditor, citizen = await officers.make("auditor"), await people.make()
    await auditor.post(f"{AUDIT}/subjects", {"nik": citizen.person.nik})
    await searched(auditor, subject=str(citizen.id), action="case.read")
    assert (await auditor.post(f"{AUDIT}/exports", {"subject": str(citizen.id)})).status_code == 202
    rows = await tables.rows(
        "SELECT action, subject_id, object_id FROM audit_rows WHERE actor_id = $1 ORDER BY id", str(auditor.id)
    )
    assert [row["action"] for row in rows] == ["audit.subject_sought", "audit.searched", "audit.exported"]
    assert {row["subject_id"] for row in rows} == {citizen.id}
    assert "action=case.read" in rows[1]["object_id"]
    assert await tables.value("SELECT count(*) FROM audit_rows t WHERE t::text LIKE $1", f"%{citizen.person.nik}%") == 0


async def test_whom_nobody_is_was_sought_all_the_same(officers: Officers, tables: Tables) -> None:
    """Whether somebody is known to the city is told by the answer: who asked that is on record, by either way."""
    auditor, unknown = await officers.make("auditor"), "3571011234567890"
    assert (await auditor.post(f"{AUDIT}/subjects", {"nik": unknown})).status_code == 404
    await searched(auditor, object=unknown)
    await searched(auditor, actor=f"x{unknown[:15]}", object="0812345678901")
    rows = await tables.rows(
        "SELECT action, object_id FROM audit_rows WHERE actor_id = $1 ORDER BY id", str(auditor.id)
    )
    assert [row["action"] for row in rows] == ["audit.subject_sought", "audit.searched", "audit.searched"]
    assert rows[1]["object_id"] == "object=[nik]"
    assert await tables.value("SELECT count(*) FROM audit_rows t WHERE t::text LIKE $1", f"%{unknown}%") == 0


async def test_a_further_page_of_all_rows_is_in_the_record(
    officers: Officers, product: Product, api: Api, tables: Tables
) -> None:
    """Whoever turns the pages of the whole record reads it, with no filter too."""
    auditor = await officers.make("auditor")
    async with product.database.transaction() as session:
        opened = open_officer_session(session, product.vault, auditor.id, "page", Place("test", ""))
    cursor = encode_cursor((datetime.now(UTC), 1))
    async with api.client() as client:
        page = await client.get(
            "/dashboard/audit", params={"cursor": cursor}, headers={"Cookie": f"{SESSION}={opened.cookie}"}
        )
    assert page.status_code == 200
    noted = "SELECT count(*) FROM audit_rows WHERE actor_id = $1 AND action = 'audit.searched'"
    assert await tables.value(noted, str(auditor.id)) == 1


async def test_only_auditors(officers: Officers) -> None:
    for role in ("operator", "supervisor", "agency_head", "city_admin"):
        officer = await officers.make(role)
        assert (await officer.get(f"{AUDIT}/rows")).status_code == 403
        assert (await officer.post(f"{AUDIT}/checks")).status_code == 403


async def test_among_many_rows_each_search_reads_an_index(officers: Officers, tables: Tables, product: Product) -> None:
    await tables.run(_BULK, MANY)
    await tables.run("ANALYZE audit_rows")
    auditor = await officers.make("auditor")
    read, cursor = 0, None
    wanted = {"actor": "bulk.3", "action": "bulk.read", "limit": "100"}
    for _ in range(3):
        page = (await auditor.get(f"{AUDIT}/rows", **wanted, **({"cursor": cursor} if cursor else {}))).json()
        cursor, read = page["next_cursor"], read + len(page["items"])
        assert [row["at"] for row in page["items"]] == sorted((row["at"] for row in page["items"]), reverse=True)
    assert (read, cursor is not None) == (300, True)
    one = "00000000-0000-7000-8000-000000000042"
    assert len(await searched(auditor, subject=one, limit="100")) == MANY // 5000
    assert len(await searched(auditor, object="bulk-777")) == 1
    statements = [
        Wanted(),
        Wanted(actor="bulk.3"),
        Wanted(action="bulk.read"),
        Wanted(object="bulk-777"),
        Wanted(case="nothing"),
        Wanted(actor="bulk.3", action="nothing.such"),
    ]
    for each in statements:
        plan = await explained(product, each)
        assert "Seq Scan on audit_rows" not in plan, plan


async def explained(product: Product, wanted: Wanted) -> str:
    """The plan of the search's own statement, as the server that ran it wrote it."""
    async with product.database.connection() as connection:
        asked: list[tuple[Any, ...]] = []
        fetch = connection.fetch

        async def noted(statement: str, *given: object) -> Any:
            asked.append((statement, *given))
            return await fetch(statement, *given)

        spied = _Spied(noted, connection)
        await search(spied, wanted, Page(50), product.catalog.timezone)  # type: ignore[arg-type]
        [of_rows] = [each for each in asked if "FROM audit_rows" in each[0]]
        rows = await fetch(f"EXPLAIN {of_rows[0]}", *of_rows[1:])
    return "\n".join(row["QUERY PLAN"] for row in rows)


class _Spied:
    """A connection whose statements are noted."""

    def __init__(self, fetch: Callable[..., Any], connection: Any) -> None:
        self.fetch, self.fetchval = fetch, connection.fetchval


async def test_verified_in_the_background_and_a_change_is_found(
    officers: Officers, people: People, tables: Tables, product: Product, start_process: Callable[..., Running]
) -> None:
    auditor = await officers.make("auditor")
    await hand_in(await people.make())
    while await link_new(product.database):
        pass
    await anchor_head(product.database, [anchor_file(product.settings)])
    asked = await auditor.post(f"{AUDIT}/checks")
    assert (asked.status_code, asked.json()["outcome"]) == (202, None)
    assert (await auditor.post(f"{AUDIT}/checks")).json()["code"] == "check_under_way"
    start_process("work").wait_for("worker ready")
    found = await ended(auditor, asked.json()["id"])
    assert (found["outcome"], found["anchors"] >= 1) == ("whole", True), found
    assert found["done"] > MANY
    await tables.run("ALTER TABLE audit_rows DISABLE TRIGGER USER")
    await tables.run(
        "UPDATE audit_rows SET purpose = 'another' WHERE id = (SELECT row_id FROM audit_links WHERE position = 7)"
    )
    broken = await ended(auditor, (await auditor.post(f"{AUDIT}/checks")).json()["id"])
    assert (broken["outcome"], broken["fault"], broken["fault_position"]) == ("broken", "changed", 7)
    assert "7" in broken["words"]
    assert [each["id"] for each in (await auditor.get(f"{AUDIT}/checks")).json()["items"]] == [
        broken["id"],
        found["id"],
    ]


async def ended(auditor: OfficerAtWork, check_id: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for _ in range(900):
        told = (await auditor.get(f"{AUDIT}/checks/{check_id}")).json()
        if told["outcome"]:
            return told
        await asyncio.sleep(0.1)
    raise AssertionError(told)
