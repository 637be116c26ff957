"""Drives a sandbox's control routes: for contract checks, tests and the bench; never on the product's own paths."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from app.sandbox.port import Effect, Workbench
from app.sandbox.server import LedgerPage


class WorkbenchError(Exception):
    """A control route refused; the message is its own."""


class HttpWorkbench(Workbench):
    """The sandbox at `url` (http://host:port/<integration>). Used as an async context manager."""

    def __init__(self, url: str) -> None:
        self._control = f"{url.rstrip('/')}/_sandbox"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fault(
        self, mode: str, operations: Sequence[str] = (), *, under: str = "", latency_ms: int = 0, rate: float = 1.0
    ) -> None:
        fault = {"mode": mode, "operations": list(operations), "under": under, "latency_ms": latency_ms, "rate": rate}
        await self.control("PUT", "faults", fault)

    async def heal(self) -> None:
        await self.control("DELETE", "faults")

    async def quirks(self, **ways: str) -> None:
        await self.control("PUT", "quirks", ways)

    async def work(self, reference: str | None = None, step: str | None = None) -> None:
        await self.control("POST", "work", {"reference": reference, "step": step})

    async def call_back(
        self, reference: str, status: str, *, to: str = "", repeat: int = 1, delay_ms: int = 0
    ) -> Sequence[int]:
        """Have it tell the product at `to`; the statuses of the answers."""
        asked = {"reference": reference, "status": status, "repeat": repeat, "delay_ms": delay_ms}
        answer = await self.control("POST", "callbacks", {**asked, "to": to})
        return msgspec.json.decode(answer, type=dict[str, list[int]])["statuses"]

    async def reset(self) -> None:
        """Back to a sandbox that was never used."""
        await self.control("POST", "reset")

    async def ledger(self) -> Sequence[Effect]:
        return msgspec.json.decode(await self.control("GET", "ledger"), type=LedgerPage).items

    async def control(self, method: str, path: str, body: object = None) -> bytes:
        """Any control route, also a sandbox's own. Raises WorkbenchError with the refusal."""
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=30))
        content = None if body is None else msgspec.json.encode(body)
        async with self._session.request(method, f"{self._control}/{path}", data=content) as response:
            answer = await response.read()
        if response.status != 200:
            raise WorkbenchError(f"{method} {path}: {response.status} {answer.decode(errors='replace')}")
        return answer
