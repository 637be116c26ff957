"""Driver connections at hand for whoever borrows next.

asyncpg's pool takes two tasks and three timers to lend one and to have it back: half of what a small statement costs.
It still makes them and ends them; those who wait are served here, in turn.
"""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

if TYPE_CHECKING:
    # Generic in the stubs alone.
    Lent: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Lent = PoolConnectionProxy

# Of those that nobody waits for: the pool ends the others once they are idle.
MOST_AT_HAND = 4
# As in the pool: what was idle for longer may have been forgotten by something between us and PostgreSQL.
IDLE_S = 300.0
# So often one goes back to the pool all the same, which replaces connections after a number of statements.
BACK_EVERY = 1_000


class Lender:
    """Lends the connections of one pool of `size`. What comes back as it went is the next borrower's; what may not be
    goes back to the pool."""

    def __init__(self, pool: asyncpg.Pool, size: int, patience_s: float) -> None:
        self._pool = pool
        self._free = size
        self._patience_s = patience_s
        self._at_hand: list[tuple[Lent, float]] = []
        # None tells whoever waits to have one from the pool.
        self._waiting: deque[asyncio.Future[Lent | None]] = deque()
        self._returned = 0

    @property
    def has_none(self) -> bool:
        """Whether who asks now has to wait for another."""
        return not self._at_hand and self._free <= 0

    async def take(self) -> Lent:
        """Raises TimeoutError where none is free for too long, and whatever opening one raises."""
        while self._at_hand:
            borrowed, since = self._at_hand.pop()
            if _is_idle(borrowed) and time.monotonic() - since < IDLE_S:
                return borrowed
            await self._end(borrowed)
        if self._free > 0:
            self._free -= 1
            return await self._from_pool()
        return await self._turn() or await self._from_pool()

    async def give_back(self, borrowed: Lent, *, whole: bool) -> None:
        """`whole`: nothing failed or was cancelled meanwhile."""
        self._returned += 1
        if whole and self._returned % BACK_EVERY and _is_idle(borrowed) and self._keep(borrowed):
            return
        try:
            await self._pool.release(borrowed)
        finally:
            self._hand_on(None)

    async def close(self) -> None:
        while self._at_hand:
            await self._pool.release(self._at_hand.pop()[0])
        await self._pool.close()

    def _keep(self, borrowed: Lent) -> bool:
        """For the first who waits, or at hand; False where there are enough."""
        if self._waiting:
            self._hand_on(borrowed)
        elif len(self._at_hand) < MOST_AT_HAND:
            self._at_hand.append((borrowed, time.monotonic()))
        else:
            return False
        return True

    def _hand_on(self, borrowed: Lent | None) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(borrowed)
                return
        if borrowed is None:
            self._free += 1
        else:
            self._at_hand.append((borrowed, time.monotonic()))

    async def _turn(self) -> Lent | None:
        turn: asyncio.Future[Lent | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience_s):
                return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # It came just as its borrower gave up.
                self._hand_on(turn.result())
            raise

    async def _from_pool(self) -> Lent:
        """Who is here has a place in the pool, and loses it where the pool fails."""
        try:
            return await self._pool.acquire(timeout=self._patience_s)
        except BaseException:
            self._hand_on(None)
            raise

    async def _end(self, borrowed: Lent) -> None:
        try:
            borrowed.terminate()
        except asyncpg.InterfaceError:
            # One that was lost has left the pool by itself, and is not to be spoken of any more.
            pass
        finally:
            self._hand_on(None)


def _is_idle(borrowed: Lent) -> bool:
    """Open, and in no transaction."""
    try:
        return not (borrowed.is_closed() or borrowed.is_in_transaction())
    except asyncpg.InterfaceError:
        return False
