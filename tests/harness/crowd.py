"""A process that keeps asking one agency, several calls at once, until it is killed: one of those that share a cap.

python -m tests.harness.crowd URL VALKEY NAME CONCURRENCY BUDGET_S PATH
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from app.agency_client import AgencyClient, Call, Shared
from app.backends.leases import Leases
from app.errors import AgencyError
from app.manifest import IntegrationManifest, OperationPolicy
from app.settings import BackendSettings
from app.valkey import Valkey

AT_ONCE = 6
BREATH_S = 0.02


class Crowd(msgspec.Struct, frozen=True):
    """Whom it asks, and what for. `name` is the backend's; crowds of one name share its places."""

    url: str
    valkey_url: str
    name: str
    concurrency: int
    budget_s: float

    @asynccontextmanager
    async def asking(self, paths: Sequence[str]) -> AsyncIterator[list[Process]]:
        """A process for each path."""
        given = [self.url, self.valkey_url, self.name, str(self.concurrency), str(self.budget_s)]
        command = [sys.executable, "-m", "tests.harness.crowd", *given]
        started = [await asyncio.create_subprocess_exec(*command, path, stdin=PIPE) for path in paths]
        try:
            yield started
        finally:
            for process in started:
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def ask_for_ever(crowd: Crowd, path: str) -> None:
    policy = OperationPolicy(safe=True, retries=0, budget_s=crowd.budget_s)
    manifest = IntegrationManifest(
        name="agency",
        title="Agency",
        agency="agency",
        serves=[],
        protocol="test",
        concurrency=crowd.concurrency,
        operations={"read": policy},
    )
    valkey = Valkey(crowd.valkey_url)
    await valkey.start()
    client = AgencyClient(manifest, BackendSettings(crowd.name, crowd.url, {}), Shared(leases=Leases(valkey)))

    async def keep_asking() -> None:
        while True:
            with suppress(AgencyError):
                await client.call(Call(operation="read", path=path))
            await asyncio.sleep(BREATH_S)

    await asyncio.gather(*(keep_asking() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    told = msgspec.convert(dict(zip(Crowd.__struct_fields__, sys.argv[1:6], strict=True)), Crowd, strict=False)
    asyncio.run(ask_for_ever(told, sys.argv[6]))
