"""The product under measurement: its real processes, seeded cases, people who are logged in, and one issued licence."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
import asyncpg
from sqlalchemy.engine import make_url

from app.cases.files import FileStore
from app.database import driver_url
from app.embedded import SERVING_ROLE
from app.migrate import upgrade
from app.privacy import Vault, open_vault
from app.sandbox.client import HttpWorkbench
from app.settings import ROOT, Settings, read_settings
from bench.forms import SERVICE, body
from bench.load import Plan
from bench.operations import NOTHING_ISSUED, Clinic, Issued, Operation, Person, product_requests, submissions
from bench.processes import free_port, running
from bench.seed import Reader, documents, seed, tokens

BACKEND = "sicantik"
ISSUED_WITHIN_S = 60.0
# More than the product takes of them in a round, so that no round ends early.
SUBMISSIONS_PER_S = 1_500


class NotWorking(Exception):
    """The product did not do what the measurement needs; the message says what."""


class Product:
    """One copy of the product on its own database, Valkey and ports."""

    def __init__(self, database_url: str, valkey_url: str, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "LOKET_DATABASE_URL": make_url(database_url).set(username=SERVING_ROLE).render_as_string(),
            "LOKET_MIGRATION_DATABASE_URL": database_url,
            "LOKET_VALKEY_URL": valkey_url,
            "LOKET_DATA_DIR": str(folder / "data"),
            "LOKET_PORT": str(free_port()),
            "LOKET_SANDBOX_PORT": str(free_port()),
            "LOKET_LIMITS": "load",
        }
        self.settings: Settings = read_settings(self.environment)
        self.vault: Vault = open_vault(self.settings)
        self.readers: Sequence[Reader] = ()

    async def prepare(self, cases: int) -> None:
        """Migrate and seed."""
        await upgrade(self.settings.migration_database_url, SERVING_ROLE)
        self.readers = await seed(self.settings.migration_database_url, self.vault, cases)

    @contextmanager
    def sandboxes(self) -> Iterator[int]:
        with self._running("sandboxes", self.settings.sandbox_port) as pid:
            yield pid

    @contextmanager
    def api(self, tree: Path = ROOT, *, workers: int = 1) -> Iterator[int]:
        with self._running("serve", self.settings.port, tree, f"--workers={workers}") as pid:
            yield pid

    @contextmanager
    def worker(self) -> Iterator[int]:
        with self._running("work", 0) as pid:
            yield pid

    async def people(self) -> list[Person]:
        """The readers with fresh access tokens."""
        fresh = await tokens(self.settings.migration_database_url, self.vault, self.settings.issuer, self.readers)
        return [Person(token, reader.cases) for token, reader in zip(fresh, self.readers, strict=True)]

    async def upload(self, count: int) -> list[UUID]:
        """One document for each of `count` submissions, by the readers in turn."""
        owners = [self.readers[at % len(self.readers)].id for at in range(count)]
        files = FileStore(self.settings.files_url, self.settings.data_dir / "files", self.vault)
        return await documents(self.settings.migration_database_url, files, self.vault, owners)

    async def plan(
        self, operation: Operation, people: Sequence[Person], seconds: float, issued: Issued = NOTHING_ISSUED
    ) -> Plan:
        """One operation's requests to this copy."""
        if operation.uses_up:
            used = await self.upload(int(SUBMISSIONS_PER_S * (seconds + 0.5)))
            return Plan(self.settings.port, submissions(people, used), seconds, once=True)
        return Plan(self.settings.port, product_requests(operation, people, issued), seconds)

    async def issue_licence(self) -> UUID:
        """Hand one case in, have the sandbox issue its licence, and wait until the product knows. A worker must run."""
        [document] = await self.upload(1)
        [first, *_] = await self.people()
        headers = {"Authorization": f"Bearer {first.token}", "Idempotency-Key": str(uuid4())}
        async with (
            aiohttp.ClientSession(self.settings.issuer, headers=headers) as session,
            HttpWorkbench(f"{self.settings.sandbox_url}/{BACKEND}") as bench,
        ):
            content = body(SERVICE, str(document))
            async with session.post("/v1/cases", data=content, headers={"Content-Type": "application/json"}) as opened:
                if opened.status not in (201, 202):
                    raise NotWorking(f"a submission was refused: {opened.status} {await opened.text()}")
                case = UUID((await opened.json())["id"])
            until, told = time.monotonic() + ISSUED_WITHIN_S, ""
            while time.monotonic() < until:
                async with session.get(f"/v1/permits/{case}/licence") as answer:
                    if answer.status == 200:
                        return case
                    told = await answer.text()
                await bench.work()
                await asyncio.sleep(0.5)
        raise NotWorking(f"no licence within {ISSUED_WITHIN_S:.0f} s: {told}")

    async def issued(self, case: UUID, clinic: Clinic, tickets: Sequence[UUID]) -> Issued:
        """The issued licence, with a fresh token of its citizen; and the tickets as they are."""
        [first, *_] = await self.people()
        headers = {"Authorization": f"Bearer {first.token}"}
        async with (
            aiohttp.ClientSession(self.settings.issuer, headers=headers) as session,
            session.get(f"/v1/permits/{case}/licence") as answer,
        ):
            return Issued(first.token, case, (await answer.json())["number"], clinic, tickets)

    async def delivery_rate(self, latency_ms: int, at_most_s: float) -> float:
        """Deliveries a second of one worker, from the first to the last of what waits, or within `at_most_s`."""
        async with HttpWorkbench(f"{self.settings.sandbox_url}/{BACKEND}") as bench:
            await bench.fault("ok", latency_ms=latency_ms)
            with self.worker():
                rate = await self._watch_deliveries(at_most_s)
            await bench.heal()
        return rate

    async def _watch_deliveries(self, at_most_s: float) -> float:
        connection = await asyncpg.connect(driver_url(self.settings.migration_database_url))
        try:
            [(before, waiting)] = await connection.fetch(_STANDING)
            until = time.monotonic() + at_most_s
            seen: list[tuple[float, int]] = []
            while time.monotonic() < until and waiting:
                await asyncio.sleep(0.1)
                [(done, waiting)] = await connection.fetch(_STANDING)
                if done > (seen[-1][1] if seen else before):
                    seen.append((time.monotonic(), done))
            (first_s, first), (last_s, last) = (seen[0], seen[-1]) if seen else ((0.0, 0), (0.0, 0))
            return (last - first) / (last_s - first_s) if last > first else 0.0
        finally:
            await connection.close()

    @contextmanager
    def _running(self, command: str, port: int, tree: Path = ROOT, *how: str) -> Iterator[int]:
        log, arguments = self.folder / f"{command}.log", ["-m", "app.cli", command, *how]
        with running(arguments, log=log, port=port, environment=self.environment, tree=tree) as pid:
            yield pid


_STANDING = """
SELECT count(*) FILTER (WHERE state = 'delivered') AS done,
       count(*) FILTER (WHERE state IN ('queued', 'delivering')) AS waiting
FROM deliveries
"""
