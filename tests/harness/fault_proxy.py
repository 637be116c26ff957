"""A bad network on demand: a socket between the product and what it talks to, that delays, cuts, resets or swallows.

It runs in a thread of its own, so that a test that blocks does not block it.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

# pass: everything through, after `latency_s` each way. cut: connections end orderly, and so does each new one. reset:
# the same by RST, without a farewell. black_hole: connections stand, nothing comes through, and nobody is told.
# slow_close: bytes go through, but an end that one side makes reaches the other only when the fault is over.
Mode = Literal["pass", "cut", "reset", "black_hole", "slow_close"]
MODES: tuple[Mode, ...] = ("cut", "reset", "black_hole", "slow_close")
_PIECE_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Listens on `port` of 127.0.0.1 and leads to `target`: a Unix socket's path, or a port of 127.0.0.1."""

    def __init__(self, target: Path | int) -> None:
        self.port = 0
        self.mode: Mode = "pass"
        self.latency_s = 0.0
        self.accepted = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._healed = asyncio.Event()
        self._healed.set()

    def set(self, mode: Mode, *, latency_s: float = 0.0) -> None:
        """From now on; cut and reset end what is open."""
        self._run(self._set(mode, latency_s))

    def heal(self) -> None:
        """As a good network again. What a black hole swallowed stays swallowed: its connections end."""
        self._run(self._heal())

    @property
    def connections(self) -> int:
        return len(self._open)

    async def _set(self, mode: Mode, latency_s: float) -> None:
        self.mode, self.latency_s = mode, latency_s
        if mode == "pass":
            self._healed.set()
            return
        self._healed.clear()
        if mode in ("cut", "reset"):
            self._end_all()

    async def _heal(self) -> None:
        swallowed = self.mode == "black_hole"
        await self._set("pass", 0.0)
        if swallowed:
            self._end_all()

    def _end_all(self) -> None:
        for pair in list(self._open):
            for writer in pair:
                self._end(writer)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        if self.mode == "reset":
            held: socket.socket = writer.get_extra_info("socket")
            with suppress(OSError):
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort() if self.mode == "reset" else writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.mode in ("cut", "reset"):
            self._end(writer)
            return
        try:
            there, back = await self._reach()
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back)
        self._open.add(pair)
        try:
            # Only _stop cancels; asyncio's streams would print a page of each callback that ended so.
            with suppress(asyncio.CancelledError):
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            self._open.discard(pair)
            for each in pair:
                each.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(_PIECE_BYTES):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                if self.mode == "black_hole":
                    continue
                sink.write(piece)
                await sink.drain()
        if self.mode in ("slow_close", "black_hole"):
            await self._healed.wait()
        # Either side's end is the end of both: PostgreSQL, Valkey and HTTP know no half-closed talk.
        with suppress(OSError):
            sink.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
        self._healed.set()
        self._end_all()
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def start(self) -> None:
        threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True).start()
        self._run(self._listen())

    def stop(self) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextmanager
def fault_proxy(target: Path | int) -> Iterator[FaultProxy]:
    """A proxy that passes everything, until told otherwise."""
    proxy = FaultProxy(target)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
