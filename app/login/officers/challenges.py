"""What an officer must answer: at most so many tries, in so much time, once."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.login.codes import Refusal
from app.login.officers.models import ChallengePurpose, OfficerChallenge

CHALLENGE_S = 300
TRIES = 5


async def counted(
    session: AsyncSession, challenge_id: UUID, purpose: ChallengePurpose, officer_id: UUID | None = None
) -> UUID | Refusal | None:
    """Spend one try: whose challenge it is, None for nobody's, or why it cannot be tried any more.

    `officer_id`: only theirs is known. The caller's transaction must commit whatever comes of it: a try is spent by
    trying.
    """
    theirs = [OfficerChallenge.officer_id == officer_id] if officer_id else []
    known = (OfficerChallenge.id == challenge_id, OfficerChallenge.purpose == purpose, *theirs)
    tried = (
        await session.execute(
            update(OfficerChallenge)
            .where(
                *known,
                OfficerChallenge.tries < TRIES,
                OfficerChallenge.used_at.is_(None),
                OfficerChallenge.expires_at > func.now(),
            )
            .values(tries=OfficerChallenge.tries + 1)
            .returning(OfficerChallenge.officer_id)
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    if tried is not None:
        owner: UUID | None = tried.officer_id
        return owner
    found = await session.scalar(select(OfficerChallenge).where(*known))
    if found is None:
        return "unknown"
    if found.used_at:
        return "used"
    return "exhausted" if found.tries >= TRIES else "expired"


async def used(session: AsyncSession, challenge_id: UUID) -> None:
    """It was answered rightly: nothing answers it again."""
    await session.execute(
        update(OfficerChallenge)
        .where(OfficerChallenge.id == challenge_id)
        .values(used_at=func.now())
        .execution_options(synchronize_session=False)
    )
