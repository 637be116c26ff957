"""Two accounts of one person become one: the history of both, in one transaction. The audit record stays as it is."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Column, Table, UniqueConstraint, and_, exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from app.audit.actions import AuditEntry, record
from app.database import Base
from app.login.models import Citizen, Contact, Credential, Session
from app.login.sessions import end_sessions
from app.privacy import Vault

_OWNER = "citizen_id"


async def merge(session: AsyncSession, vault: Vault, from_id: UUID, into_id: UUID) -> Sequence[UUID]:
    """All that one account did becomes the other's; the sessions that ended. The first can be logged in to no more.

    Password and phone go along only where the other has none.
    """
    for table in _history():
        await session.execute(update(table).where(_movable(table, from_id, into_id)).values({_OWNER: into_id}))
    for model, kind in ((Credential, "password"), (Contact, "phone")):
        theirs = exists().where(model.citizen_id == into_id, model.kind == kind).correlate(None)
        await session.execute(
            update(model)
            .where(model.citizen_id == from_id, model.kind == kind, ~theirs)
            .values(citizen_id=into_id)
            .execution_options(synchronize_session=False)
        )
    ended = await end_sessions(session, Session.citizen_id == from_id, "identity_proven")
    await session.execute(
        update(Citizen)
        .where(Citizen.id == from_id)
        # An index that no NIK has: whoever's NIK it was can have an account.
        .values(nik_index=vault.index("displaced", str(from_id)), displaced_at=func.now(), merged_into=into_id)
        .execution_options(synchronize_session=False)
    )
    for citizen_id in (from_id, into_id):
        await _record(session, citizen_id, into_id)
    return ended


def _history() -> Iterator[Table]:
    """Every table of a citizen's doings, whatever module it is of: found, so that none is forgotten. Login's own are
    about one account, and are not history."""
    for mapper in Base.registry.mappers:
        table = mapper.local_table
        if isinstance(table, Table) and _OWNER in table.c and not mapper.class_.__module__.startswith("app.login."):
            yield table


def _movable(table: Table, from_id: UUID, into_id: UUID) -> ColumnElement[bool]:
    """The account's rows, but for those that the other has one of where there may be one only: they stay."""
    conditions: list[ColumnElement[bool]] = [table.c[_OWNER] == from_id]
    for columns, where in _uniques(table):
        other = table.alias()
        # A partial index's condition names bare columns: inside they are the other's rows, outside the account's own.
        applies = text(f"({where})")
        same = [other.c[column.name] == column for column in columns if column.name != _OWNER]
        taken = select(1).select_from(other).where(other.c[_OWNER] == into_id, *same, applies)
        conditions.append(~and_(applies, taken.correlate(table).exists()))
    return and_(*conditions)


def _uniques(table: Table) -> Iterator[tuple[Sequence[Column[object]], str]]:
    """What may stand once for a citizen, and where that holds."""
    whole = [table.primary_key, *(each for each in table.constraints if isinstance(each, UniqueConstraint))]
    found = [(list(each.columns), "true") for each in whole]
    for index in table.indexes:
        if index.unique:
            where = index.dialect_options["postgresql"]["where"]
            found.append(([table.c[column.name] for column in index.columns], "true" if where is None else str(where)))
    return (each for each in found if table.c[_OWNER] in each[0])


async def _record(session: AsyncSession, citizen_id: UUID, into_id: UUID) -> None:
    entry = AuditEntry(
        actor_kind="citizen",
        actor_id=str(into_id),
        action="account.merged",
        subject_id=citizen_id,
        object_kind="citizen",
        object_id=str(into_id),
        purpose="identity-proof",
        legal_basis="uu-25-2009",
    )
    await record(session, entry)
