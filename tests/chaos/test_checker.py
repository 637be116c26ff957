"""The checker itself: on a quiet run every invariant holds, and what can go wrong breaks the one it should."""

import copy
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from app.audit.port import Head
from app.database import driver_url
from app.sandbox.port import Effect
from tests.chaos import witness
from tests.chaos.checker import INVARIANTS, judge
from tests.chaos.crowd import Crowd, person
from tests.chaos.evidence import Evidence, all_cases, read_ledger
from tests.chaos.history import Asked, History, Looked, Seen, Told, Used
from tests.chaos.leavers import Leavers
from tests.chaos.load import Load
from tests.chaos.storm import until_drained, until_linked
from tests.chaos.watched import audit_is_whole
from tests.harness.canaries import Canary
from tests.harness.people import PASSWORD
from tests.harness.product import Api, Running

CASES = 8
# The first who hands in: the one before logs out.
PERSON = person(1)
LAST = "(SELECT id FROM cases ORDER BY id DESC LIMIT 1)"
OLD = "00000000-0000-7000-8000-000000000001"
# What goes wrong in the database, by the invariant it must break.
WRONG = {
    "an accepted case is gone": ("I1", f"DELETE FROM cases WHERE id = {LAST}"),
    "a withdrawal is gone": ("I1", "UPDATE cases SET status = 'submitted' WHERE status = 'withdrawn'"),
    "delivered under another's number": (
        "I2",
        f"UPDATE cases SET agency_reference = 'X' WHERE id = {LAST}",
    ),
    "nobody will ever try": ("I2", "UPDATE deliveries SET state = 'queued', next_try_at = NULL, lease_until = NULL"),
    "rejected, yet sent": ("I2", "UPDATE deliveries SET state = 'rejected'"),
    "a case nobody was told of": (
        "I4",
        f"UPDATE cases SET number = 'none' WHERE id = {LAST}",
    ),
    "no audit row": (
        "I5",
        "DELETE FROM audit_rows WHERE id = (SELECT max(id) FROM audit_rows WHERE action = 'case.submit')",
    ),
    "an audit row alone": ("I5", "UPDATE audit_rows SET object_id = 'none' WHERE action = 'case.submit'"),
    "no key": ("I5", "DELETE FROM idempotency_keys"),
    "no delivery": ("I5", "DELETE FROM deliveries WHERE id = (SELECT id FROM deliveries LIMIT 1)"),
    "a file is not bound": ("I5", "UPDATE attachments SET case_id = NULL"),
    "a job without a delivery": (
        "I5",
        "INSERT INTO pgqueuer (priority, entrypoint, status, dedupe_key) VALUES (0, 'deliver.sicantik', 'queued', 'x')",
    ),
    "a gap in a timeline": ("I7", "UPDATE case_events SET seq = seq + 7 WHERE kind = 'delivered'"),
    "a step back": (
        "I7",
        f"""INSERT INTO witness.moves (case_id, before, after, event_before, event_after)
        VALUES ('{OLD}', 'completed', 'submitted', 1, 2)""",
    ),
    "a delivery left its end": (
        "I7",
        f"INSERT INTO witness.endings (delivery_id, before, after) VALUES ('{OLD}', 'delivered', 'queued')",
    ),
    "sent without an audit row": ("I9", "DELETE FROM audit_rows WHERE action = 'case.sent'"),
    "an audit row was changed": ("I8", "UPDATE audit_rows SET purpose = 'another' WHERE action = 'case.sent'"),
    "who serves may delete from the audit": ("I8", "GRANT DELETE ON audit_rows TO loket"),
    "who serves may empty the audit's chain": ("I8", "GRANT TRUNCATE ON audit_links TO loket"),
    "an officer's look without an audit row": ("I9", "DELETE FROM audit_rows WHERE action = 'case.read'"),
    "the audit lost a link": ("I8", "DELETE FROM audit_links WHERE position = 2"),
    "claimed while leased": (
        "I11",
        f"""INSERT INTO witness.claims (delivery_id, fence_before, fence, lease_before, at)
        VALUES ('{OLD}', 1, 2, now() + interval '1 minute', now())""",
    ),
    "a fence that does not rise": (
        "I11",
        f"INSERT INTO witness.claims (delivery_id, fence_before, fence, at) VALUES ('{OLD}', 2, 2, now())",
    ),
    "the case says otherwise": ("I12", "UPDATE cases SET delivery_state = 'queued'"),
    "the withdrawal came first": (
        "I13",
        """INSERT INTO deliveries (id, case_id, backend, operation, lane, state, finished_at)
        SELECT 'ffffffff-0000-7000-8000-000000000001', case_id, backend, 'withdraw', 'lane', 'delivered', '2020-01-01'
        FROM deliveries WHERE state = 'delivered' LIMIT 1""",
    ),
    "a line too few": ("I15", "UPDATE cases SET last_event = last_event + 1"),
    "told twice": (
        "I15",
        """INSERT INTO messages (id, citizen_id, key, params, case_id)
        SELECT 'ffffffff-0000-7000-8000-000000000002', citizen_id, key, params, case_id FROM messages LIMIT 1""",
    ),
}


class Quiet(msgspec.Struct):
    """A run in which nothing was killed."""

    connection: "asyncpg.Connection[Any]"
    ledger: Sequence[Effect]
    history: History
    canaries: Sequence[Canary]

    async def evidence(self, **changed: Any) -> Evidence:
        cases = await all_cases(self.connection)
        evidence = Evidence(
            connection=self.connection,
            history=self.history,
            cases=cases,
            ledger=self.ledger,
            canaries=self.canaries,
        )
        return msgspec.structs.replace(evidence, **changed)

    async def broken(self, **changed: Any) -> set[str]:
        """Which invariants do not hold."""
        return {verdict.name for verdict in await judge(await self.evidence(**changed)) if verdict.broken}


@pytest.fixture(scope="module")
async def quiet(
    api: Api, worker: Running, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Quiet]:
    await witness.install(postgres_url)
    crowd = await Crowd.gather(msgspec.structs.replace(api.settings, database_url=postgres_url), 2, leavers=1)
    with History(tmp_path_factory.mktemp("history") / "history.jsonl") as history:
        async with Load(crowd, history, [api.url], seed=1) as load:
            await load.hand_in(await crowd.files(CASES), at_once=4)
            [first, *_] = history.accepted()
            await load.take_back(history.asked[first][0], history.accepted()[first])
            leavers = Leavers(crowd, history, [api.url], seed=1)
            await leavers.leave()
            await leavers.look_at(history.accepted()[first].case_id)
        assert await until_drained(postgres_url) is not None
        assert await until_linked(postgres_url) is not None
        ledger = list(read_ledger(api.settings.data_dir / "sandboxes" / "sicantik.jsonl"))
        connection = await asyncpg.connect(driver_url(postgres_url))
        yield Quiet(connection, ledger, history, crowd.canaries)
        await connection.close()
    await crowd.disperse()


async def test_a_quiet_run_holds(quiet: Quiet) -> None:
    assert await quiet.broken(otherwise=[422]) == set()
    assert len(quiet.history.accepted()) >= CASES - 1
    assert [looked.status for looked in quiet.history.looked] == [200]
    assert {used.what: used.status for used in quiet.history.used} == {"consent": 403, "session": 401}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_goes_wrong_in_the_database_is_seen(quiet: Quiet, wrong: str) -> None:
    name, statement = WRONG[wrong]
    change = quiet.connection.transaction()
    await change.start()
    try:
        # Neither keys nor triggers stop the hand that plants it.
        await quiet.connection.execute("SET LOCAL session_replication_role = replica")
        assert not (await quiet.connection.execute(statement)).endswith(" 0"), "nothing was changed"
        assert name in await quiet.broken()
    finally:
        await change.rollback()


async def test_what_goes_wrong_at_the_agency_is_seen(quiet: Quiet) -> None:
    [first, *_] = [effect for effect in quiet.ledger if effect.operation == "register"]
    assert "I2" in await quiet.broken(ledger=[*quiet.ledger, first])
    assert "I2" in await quiet.broken(ledger=[effect for effect in quiet.ledger if effect is not first])
    assert "I4" in await quiet.broken(ledger=[*quiet.ledger, msgspec.structs.replace(first, reference="nobody's")])


async def test_what_citizens_were_told_wrongly_is_seen(quiet: Quiet, tmp_path: Path) -> None:
    [key, *_] = quiet.history.accepted()
    told = quiet.history.accepted()[key]
    wrong: list[tuple[str, Callable[[History], None]]] = [
        ("I3", lambda history: history.ask(Asked("never-answered", 0, "wanted", "", 0.0))),
        ("I4", lambda history: history.asked[key].insert(0, Asked(key, 0, "refused", "", 0.0))),
        ("I6", lambda history: history.tell(msgspec.structs.replace(told, digest="another"))),
        ("I6", lambda history: history.tell(Told(key, 422, 0.0, 0.0, "refused"))),
        ("I9", lambda history: history.look(Looked(told.case_id, 200))),
        ("I10", lambda history: history.see(Seen(key, 404, ""))),
        ("I14", lambda history: history.use(Used("session", "x", 0.0, 100.0, 200))),
        ("I14", lambda history: history.use(Used("consent", "x", 0.0, 0.0, 404))),
        ("I10", lambda history: history.see(Seen(key, 200, "another's"))),
    ]
    for name, tell in wrong:
        with History(tmp_path / "wrong.jsonl") as history:
            history.asked, history.told = copy.deepcopy(quiet.history.asked), copy.deepcopy(quiet.history.told)
            history.looked = list(quiet.history.looked)
            tell(history)
            assert name in await quiet.broken(history=history)
    with History(tmp_path / "slow.jsonl") as history:
        history.use(Used("session", "x", 0.0, 1.0, 200))
        assert "I14" not in await quiet.broken(history=history), "every process has some seconds to learn of it"
    assert "I6" in await quiet.broken(otherwise=[202])


async def test_a_head_that_nobody_anchored_is_seen(quiet: Quiet) -> None:
    """Beside what else is wrong where rows are made older."""
    aged = quiet.connection.transaction()
    await aged.start()
    try:
        await quiet.connection.execute("SET LOCAL session_replication_role = replica")
        await quiet.connection.execute("UPDATE audit_rows SET at = at - interval '1 hour'")
        _, broken = await audit_is_whole(await quiet.evidence())
        assert any("newest anchor is at 0" in words for words in broken)
        head = Head(10**6, b"")
        _, broken = await audit_is_whole(await quiet.evidence(anchors=[head]))
        assert not any("newest anchor" in words for words in broken)
    finally:
        await aged.rollback()


@pytest.mark.parametrize(
    "form", [PERSON.nik, PERSON.nik[:12], PERSON.phone, PERSON.name, PERSON.name.upper(), PASSWORD]
)
async def test_who_is_seen_in_an_output_is_found(quiet: Quiet, form: str) -> None:
    line = b'{"event": "refused", "of": "%s"}' % form.encode()
    assert "I18" in await quiet.broken(outputs={"api-0.log": line})
    assert "I18" not in await quiet.broken(outputs={"api-0.log": b'{"event": "request", "status": 200}'})


def test_every_invariant_can_be_broken() -> None:
    """Whoever adds one shows here what breaks it."""
    assert {name for name, _ in WRONG.values()} | {"I3", "I6", "I10", "I14", "I18"} == set(INVARIANTS)
