"""Tickets that an older release made due on the day they were taken: the migration takes that back."""

import importlib.util
from datetime import date
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import sqlalchemy_url
from app.settings import ROOT
from tests.harness.cases import hand_in
from tests.harness.people import People
from tests.harness.product import Api
from tests.harness.tables import Tables

_TICKET = "UPDATE cases SET service = 'puskesmas-queue-ticket', due_on = $2 WHERE id::text = $1"
_RAISED = (
    "INSERT INTO case_escalations (case_id, stage, agency) SELECT id, 'late', agency FROM cases WHERE id::text = $1"
)
_SEEN = "SELECT seen_at IS NOT NULL FROM case_escalations WHERE case_id::text = $1"
_DUE = "SELECT due_on FROM cases WHERE id::text = $1"


async def test_an_open_ticket_is_late_no_more(people: People, tables: Tables, api: Api) -> None:
    ticket, used, permit = [await hand_in(await people.make()) for _ in range(3)]
    day = date(2026, 11, 2)
    for case in (ticket, used):
        await tables.run(_TICKET, case["id"], day)
    await tables.run("UPDATE cases SET status = 'completed' WHERE id::text = $1", used["id"])
    promised = await tables.value(_DUE, permit["id"])
    for case in (ticket, permit):
        await tables.run(_RAISED, case["id"])
    engine = create_async_engine(sqlalchemy_url(api.settings.migration_database_url))
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()
    assert [await tables.value(_DUE, case["id"]) for case in (ticket, used, permit)] == [None, day, promised]
    assert [await tables.value(_SEEN, case["id"]) for case in (ticket, permit)] == [True, False]
    await tables.run("DELETE FROM case_escalations WHERE case_id::text = $1", permit["id"])


def migrate(connection: Connection) -> None:
    """The migration by itself."""
    path = ROOT / "migrations" / "versions" / "0038_tickets_promise_no_day.py"
    spec = importlib.util.spec_from_file_location("tickets", path)
    assert spec is not None
    assert spec.loader is not None
    migration: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    with Operations.context(MigrationContext.configure(connection)):
        migration.upgrade()
