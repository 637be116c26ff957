"""What the population register said of a citizen, and asking it again about those of whom nothing was learned yet."""

import functools
import random
from datetime import date, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.database import Database, utc_now
from app.jobs import Queue, RetryLater, enqueue
from app.login.accounts import PROVEN_LEVEL
from app.login.gate import Gate
from app.login.models import BIRTH_DATE, NAME, NIK, Citizen, IdentityCheck
from app.login.port import Claim, Standing
from app.login.proof import LATER, NotLearned
from app.privacy import Vault

QUEUE = "login.identity"
# Few at once: a register that comes back is not to be met by all who waited for it.
CONCURRENCY = 2
LONGEST_DELAY_S = 3600.0
_SWEPT_AT_ONCE = 1_000


class CheckIdentity(msgspec.Struct, frozen=True):
    """The job."""

    citizen_id: UUID


def asking(citizen_id: UUID, *, job: bool = False) -> AuditEntry:
    """The record of whose words are about to be told to the register: by themselves, or by a job of ours."""
    return AuditEntry(
        actor_kind="job" if job else "citizen",
        actor_id=QUEUE if job else str(citizen_id),
        action="identity.compare",
        subject_id=citizen_id,
        object_kind="citizen",
        object_id=str(citizen_id),
        purpose="identity-proof",
        legal_basis="permendagri-102-2019",
        fields=("nik", "name", "birth_date"),
    )


def queues(gate: Gate) -> list[Queue[CheckIdentity]]:
    """For the worker."""
    return [Queue(QUEUE, CheckIdentity, functools.partial(check_again, gate), concurrency=CONCURRENCY)]


async def note_standing(session: AsyncSession, citizen_id: UUID, standing: Standing | None, gate: Gate) -> None:
    """Keep what the register said of a new citizen, and tell them where that was not simply "matched".

    None: it could not be asked. Then it will be, by a job.
    """
    kept = standing or "pending"
    checked_at = None if standing is None else func.now()
    await session.execute(insert(IdentityCheck).values(citizen_id=citizen_id, standing=kept, checked_at=checked_at))
    if standing is None:
        await enqueue(session, QUEUE, CheckIdentity(citizen_id), delay_s=_delay_s(0, 0.0), dedupe=str(citizen_id))
    if kept != "matched":
        await gate.courier.tell(session, citizen_id, f"login.identity_{kept}", {})


async def check_again(gate: Gate, job: CheckIdentity) -> None:
    """One more question about one citizen. Raises RetryLater while nothing is learned."""
    async with gate.database.transaction() as session:
        waiting = await _waiting(session, job.citizen_id, gate.vault)
    if waiting is None:
        return
    claim, tries = waiting
    try:
        standing = await gate.proof.compare(claim, asking(job.citizen_id, job=True), LATER)
    except NotLearned as failure:
        async with gate.database.transaction() as session:
            mine = update(IdentityCheck).where(IdentityCheck.citizen_id == job.citizen_id)
            await session.execute(mine.values(tries=IdentityCheck.tries + 1))
        raise RetryLater(_delay_s(tries, failure.retry_after_s), str(failure)) from None
    async with gate.database.transaction() as session:
        learned = await _settle(session, job.citizen_id, standing)
        if learned:
            await gate.courier.tell(session, job.citizen_id, f"login.identity_{standing}", {})
    if learned and standing == "matched":
        await gate.profiles.changed(job.citizen_id)


async def sweep(database: Database) -> None:
    """See to it that whoever waits has a job; one may have been lost to a fault of ours. A recurring task runs it."""
    async with database.transaction() as session:
        old = utc_now() - timedelta(hours=2)
        waiting = select(IdentityCheck.citizen_id).where(
            IdentityCheck.standing == "pending", IdentityCheck.created_at < old
        )
        for citizen_id in (await session.scalars(waiting.limit(_SWEPT_AT_ONCE))).all():
            await enqueue(session, QUEUE, CheckIdentity(citizen_id), dedupe=str(citizen_id))


async def _waiting(session: AsyncSession, citizen_id: UUID, vault: Vault) -> tuple[Claim, int] | None:
    """Who is to be asked about, and how often that failed; None where there is nothing to ask any more."""
    found = (
        select(Citizen.nik_enc, Citizen.name_enc, Citizen.birth_date_enc, IdentityCheck.tries)
        .join(IdentityCheck, IdentityCheck.citizen_id == Citizen.id)
        .where(Citizen.id == citizen_id, IdentityCheck.standing == "pending", Citizen.displaced_at.is_(None))
    )
    row = (await session.execute(found)).one_or_none()
    if row is None:
        return None
    born = date.fromisoformat(vault.decrypt(row.birth_date_enc, BIRTH_DATE).decode())
    return (
        Claim(vault.decrypt(row.nik_enc, NIK).decode(), vault.decrypt(row.name_enc, NAME).decode(), born),
        row.tries,
    )


async def _settle(session: AsyncSession, citizen_id: UUID, standing: Standing) -> bool:
    """Write what was learned, and raise the level where it matched. False where somebody else was quicker."""
    pending = (IdentityCheck.citizen_id == citizen_id) & (IdentityCheck.standing == "pending")
    settled = await session.scalar(
        update(IdentityCheck)
        .where(pending)
        .values(standing=standing, checked_at=func.now())
        .returning(IdentityCheck.citizen_id)
    )
    if settled is None:
        return False
    if standing != "matched":
        return True
    raised = await session.scalar(
        update(Citizen)
        .where(Citizen.id == citizen_id, Citizen.displaced_at.is_(None))
        .values(assurance_level=func.greatest(Citizen.assurance_level, PROVEN_LEVEL))
        .returning(Citizen.id)
    )
    if raised is not None:
        entry = msgspec.structs.replace(asking(citizen_id, job=True), action="identity.prove", fields=("level",))
        await record(session, entry)
    return raised is not None


def _delay_s(tries: int, at_least_s: float) -> float:
    """Exponential up to an hour, and never before the register asked for; spread, so that not all come back at once."""
    usual_s: float = min(60.0 * 2.0**tries, LONGEST_DELAY_S)
    return at_least_s + random.uniform(usual_s / 2, usual_s)  # noqa: S311 - spread, not a secret
