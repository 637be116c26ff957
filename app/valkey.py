"""Valkey for what may be lost: shared limits, news, wake-ups. A call has 50 ms, then its caller goes on without."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import cast

import redis.exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from app.tasks import end
from app.tracing import span

log = logging.getLogger("loket.valkey")

BUDGET_S = 0.05
CONNECT_S = 1.0
READY_CONNECTIONS = 4
GATHER_S = 0.01
# A Valkey that was killed is back within half a second; one that stays away is asked for less often.
RECONNECT_S, LONGEST_RECONNECT_S = 0.1, 1.0
Listener = Callable[[bytes], None]


class ValkeyDown(Exception):
    """Valkey did not answer within its budget; the caller does without it. `is_late`: it may be slow, and not away."""

    def __init__(self, what: str, *, is_late: bool = False) -> None:
        super().__init__(what)
        self.is_late = is_late


class Valkey:
    """One pool and one subscription for one process and one event loop."""

    def __init__(self, url: str, *, budget_s: float = BUDGET_S) -> None:
        # Who speaks, where processes tell each other apart.
        self.name = secrets.token_hex(8)
        self._budget_s = budget_s
        self._pool = BlockingConnectionPool.from_url(
            url, max_connections=50, timeout=budget_s, socket_connect_timeout=CONNECT_S, socket_timeout=budget_s
        )
        self._redis = Redis(connection_pool=self._pool)
        self._listening = Redis.from_url(url, socket_connect_timeout=1.0, health_check_interval=5)
        self._deaf_s = RECONNECT_S
        self._listeners: dict[str, list[Listener]] = {}
        self._task: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._news: list[tuple[str, bytes]] = []
        self._telling: asyncio.Task[None] | None = None

    async def run_script(self, source: str, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
        """Run a Lua script as one atomic step. Raises ValkeyDown."""
        script = self._redis.register_script(source)
        return await self._within_budget("script", script(keys=list(keys), args=list(args)))

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell every process that listens; lost where Valkey is down (each listener has a slower way to learn)."""
        with suppress(ValkeyDown):
            await self._within_budget("publish", self._redis.publish(channel, message))

    def announce(self, channel: str, message: bytes) -> None:
        """The same without waiting, for one who has much to tell: what is told within GATHER_S goes in one call."""
        self._news.append((channel, message))
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="valkey-news")

    async def ping(self) -> None:
        """Raises ValkeyDown."""
        await self._within_budget("ping", self._redis.ping())

    async def find(self, parts: Collection[str]) -> dict[str, str]:
        """Every key whose name has one of `parts` in it, with what it holds where that is a text. It goes through all
        keys, a thousand a call: for a job, not for a request. Raises ValkeyDown."""
        found: dict[str, str] = {}
        cursor = 0
        while True:
            answer = await self._within_budget("scan", self._redis.scan(cursor, count=1000))
            cursor, keys = cast("tuple[int, list[bytes]]", answer)
            for key in keys:
                name = key.decode("utf-8", "replace")
                if any(part in name for part in parts):
                    is_text = await self._within_budget("type", self._redis.type(key)) == b"string"
                    held = await self._within_budget("get", self._redis.get(key)) if is_text else None
                    found[name] = held.decode("utf-8", "replace") if isinstance(held, bytes) else ""
            if cursor == 0:
                return found

    async def forget(self, names: Collection[str]) -> None:
        """Remove keys. Raises ValkeyDown."""
        if names:
            await self._within_budget("delete", self._redis.delete(*names))

    def listen(self, channel: str, callback: Listener) -> None:
        """Call back with every message of `channel`, from now on or from `start`. Callbacks must be quick."""
        self._listeners.setdefault(channel, []).append(callback)

    async def start(self) -> None:
        """Begin to listen, and to reconnect for ever."""
        self._connect()
        self._task = asyncio.create_task(self._listen(), name="valkey-listener")

    async def close(self) -> None:
        await end(self._task)
        if self._telling:
            await self._telling
        await end(self._connecting)
        await self._redis.aclose()
        await self._pool.disconnect()
        await self._listening.aclose()

    async def _tell(self) -> None:
        while self._news:
            await asyncio.sleep(GATHER_S)
            news, self._news = self._news, []
            pipeline = self._redis.pipeline(transaction=False)
            for channel, message in news:
                pipeline.publish(channel, message)
            with suppress(ValkeyDown):
                await self._within_budget("publish", pipeline.execute())

    async def _within_budget(self, what: str, call: Awaitable[object]) -> object:
        try:
            with span(f"valkey {what}", "client"):
                async with asyncio.timeout(self._budget_s):
                    return await call
        except (RedisError, TimeoutError, OSError) as error:
            self._connect()
            is_late = isinstance(error, TimeoutError | redis.exceptions.TimeoutError)
            raise ValkeyDown(type(error).__name__, is_late=is_late) from error

    def _connect(self) -> None:
        """Have connections ready. One to a server far away takes longer than a call may, and no call would make it."""
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._make_connections(), name="valkey-connections")

    async def _make_connections(self) -> None:
        asked = [self._pool.get_connection() for _ in range(READY_CONNECTIONS)]  # type: ignore[no-untyped-call] # no stubs
        for made in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(made, AbstractConnection):
                await self._pool.release(made)

    async def _listen(self) -> None:
        while True:
            self._deaf_s = min(2 * self._deaf_s, LONGEST_RECONNECT_S)
            try:
                await self._listen_once()
            except (RedisError, OSError) as error:
                log.warning("valkey subscription lost: %s", type(error).__name__)
            await asyncio.sleep(self._deaf_s)

    async def _listen_once(self) -> None:
        async with self._listening.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(*self._listeners)
            self._deaf_s = RECONNECT_S
            async for message in pubsub.listen():
                for callback in self._listeners.get(message["channel"].decode(), ()):
                    callback(message["data"])
