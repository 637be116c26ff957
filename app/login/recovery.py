"""A forgotten password. The request does not look whose NIK it is: a worker does, so that no answer's time tells."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import utc_now
from app.jobs import Queue, enqueue
from app.login.codes import Ask, Made, make_code, new_code
from app.login.contacts import reach_of, send_code
from app.login.gate import Gate
from app.login.models import Challenge, Citizen

QUEUE = "login.recovery"
CONCURRENCY = 32
# Operators keep a number that was given up to themselves for at least this long. One that has answered within it
# cannot have become somebody else's; after it a phone alone opens nothing.
NUMBER_REST = timedelta(days=60)


class RecoveryJob(msgspec.Struct, frozen=True):
    """No personal data: which challenge."""

    challenge_id: UUID


class Started(msgspec.Struct, frozen=True):
    """The same for every NIK."""

    challenge_id: UUID
    expires_at: datetime


class Forgetful(msgspec.Struct, frozen=True):
    """Whose password is forgotten, by the NIK's index, and where the codes tried for it are counted."""

    nik_index: bytes
    account: bytes
    device_name: str


async def start_recovery(gate: Gate, who: Forgetful) -> Started:
    """One row and one job, whoever the NIK belongs to."""
    async with gate.database.transaction() as session:
        ask = Ask("recovery", genuine=False, device_name=who.device_name, account=who.account, nik_index=who.nik_index)
        made = make_code(session, gate.vault, ask)
        await session.flush()
        await enqueue(session, QUEUE, RecoveryJob(made.challenge_id))
    return Started(made.challenge_id, made.expires_at)


def queue(gate: Gate) -> Queue[RecoveryJob]:
    """For the worker."""

    async def run(job: RecoveryJob) -> None:
        async with gate.database.transaction() as session:
            await _look_up(session, gate, job.challenge_id)

    return Queue(QUEUE, RecoveryJob, run, concurrency=CONCURRENCY)


async def _look_up(session: AsyncSession, gate: Gate, challenge_id: UUID) -> None:
    """Whose NIK it is, and a code to their phone. Run twice it sends one: the challenge has its citizen by then."""
    waiting = (Challenge.id == challenge_id) & Challenge.citizen_id.is_(None) & (Challenge.expires_at > func.now())
    challenge = await session.scalar(select(Challenge).where(waiting).with_for_update())
    if challenge is None:
        return
    challenge.citizen_id = await session.scalar(select(Citizen.id).where(Citizen.nik_index == challenge.nik_index))
    if challenge.citizen_id is None:
        return
    reach = await reach_of(session, gate, challenge.citizen_id)
    if reach is None or utc_now() - reach.proven_at > NUMBER_REST:
        # A passkey may still answer.
        return
    code, challenge.code_mac = new_code(gate.vault, challenge_id)
    await session.flush()
    made = Made(challenge_id, code, challenge.expires_at)
    await send_code(session, gate, challenge.citizen_id, made, "login.code_for_recovery")
