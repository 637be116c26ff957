"""Asking the population register who somebody is: within the time a person waits, and within the register's quota."""

import asyncio
import logging
import time

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit.actions import AuditEntry, record
from app.database import Database
from app.errors import AgencyError, AgencyUnavailable
from app.login.port import Claim, LoginPort, Standing

log = logging.getLogger("loket.login")

# A person waits before the screen: longer than this, and the account begins at level 1.
WHILE_WAITED_FOR_S = 2.0
LATER_S = 10.0
# Checks that nobody waits for leave a part of the day's questions to those who stand before the counter.
SHARE_LATER = 0.8
# With nothing said of when to come again.
UNREACHABLE_S = 60.0

# The register's day is Jakarta's. One statement, so that processes can never share the last question.
_TAKE = text("""
INSERT INTO register_days (day, asked) VALUES ((now() AT TIME ZONE 'Asia/Jakarta')::date, 1)
ON CONFLICT (day) DO UPDATE SET asked = register_days.asked + 1 WHERE register_days.asked < :quota
RETURNING asked
""")


class Patience(msgspec.Struct, frozen=True):
    """How long one question may take, and up to which share of the day's quota it may be asked."""

    budget_s: float
    share: float


NOW = Patience(WHILE_WAITED_FOR_S, 1.0)
LATER = Patience(LATER_S, SHARE_LATER)


class NotLearned(Exception):
    """The register could not be asked, or did not answer in time: come again after `retry_after_s`."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Proof:
    """One process's way to the register. After a spent quota it does not ask before there is a new one."""

    def __init__(self, database: Database, register: LoginPort | None) -> None:
        self._database = database
        self._register = register
        self._closed_until = 0.0

    async def compare(self, claim: Claim, entry: AuditEntry, patience: Patience) -> Standing:
        """What the register says. `entry` is on record before a word leaves, and stays. Raises NotLearned."""
        if self._register is None:
            raise NotLearned("no register is connected", UNREACHABLE_S)
        wait_s = self._closed_until - time.monotonic()
        if wait_s > 0:
            raise NotLearned("quota_spent", wait_s)
        async with self._database.transaction() as session:
            if not await _take(session, int(self._register.daily_quota * patience.share)):
                raise NotLearned("own share of the quota is spent", UNREACHABLE_S * 60)
            await record(session, entry)
        try:
            async with asyncio.timeout(patience.budget_s):
                return await self._register.compare(claim)
        except TimeoutError:
            raise NotLearned("no answer in time", UNREACHABLE_S) from None
        except AgencyUnavailable as error:
            log.warning("population register: %s", error.code or error.detail)
            if error.code == "quota_spent" and error.retry_after_s is not None:
                self._closed_until = time.monotonic() + error.retry_after_s
            raise NotLearned(error.code or "unavailable", error.retry_after_s or UNREACHABLE_S) from None
        except AgencyError as error:
            log.warning("population register: %s", error.code or error.detail)
            raise NotLearned(error.code or "refused", UNREACHABLE_S) from None


async def _take(session: AsyncSession, quota: int) -> bool:
    """Count one question, if today has one left."""
    return quota > 0 and await session.scalar(_TAKE, {"quota": quota}) is not None
