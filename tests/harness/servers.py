"""PostgreSQL and Valkey of one test process: embedded, or those of LOKET_TEST_DATABASE_URL and _VALKEY_URL."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import msgspec
from sqlalchemy.engine import make_url

from app import processes
from app.database import driver_url
from app.embedded import SERVING_ROLE, EmbeddedPostgres, EmbeddedValkey
from app.migrate import upgrade

# The machine will not lose power in the middle of a test; a killed PostgreSQL still finds all that was committed.
_QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "300", "autovacuum": "off"}
_START_S = 30


class Servers(msgspec.Struct, frozen=True):
    """`admin_url` may create databases; `template` is a migrated one without connections. `serving` is the role that
    serves, "" where we may make none."""

    admin_url: str
    valkey_url: str
    template: str
    serving: str

    def serving_url(self, url: str) -> str:
        """A database's address for the role that serves."""
        return make_url(url).set(username=self.serving).render_as_string() if self.serving else url

    def url(self, database: str) -> str:
        return make_url(self.admin_url).set(database=database).render_as_string(hide_password=False)

    def create_database(self, template: str | None = None) -> str:
        """A new database of its own, migrated; its address."""
        name = f"loket_t_{uuid4().hex[:12]}"
        asyncio.run(_execute(self.admin_url, f'CREATE DATABASE "{name}" TEMPLATE "{template or self.template}"'))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        asyncio.run(_execute(self.admin_url, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)'))


@contextmanager
def running_servers(worker: int) -> Iterator[Servers]:
    """Servers for one test process, with a migrated template. `worker` is its number among those that share them."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="loket-test-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yours = os.environ.get("LOKET_TEST_DATABASE_URL")
        database = yours or stack.enter_context(running_postgres(folder))
        valkey = os.environ.get("LOKET_TEST_VALKEY_URL")
        valkey = _numbered(valkey, worker) if valkey else stack.enter_context(running_valkey(folder))
        serving = "" if yours else SERVING_ROLE
        servers = Servers(database, valkey, f"loket_template_{uuid4().hex[:12]}", serving)
        asyncio.run(_execute(database, f'CREATE DATABASE "{servers.template}" TEMPLATE template0'))
        stack.callback(servers.drop_database, servers.url(servers.template))
        asyncio.run(upgrade(servers.url(servers.template), serving or None))
        yield servers


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """An embedded PostgreSQL below `folder`; its address, which may create databases."""
    server = EmbeddedPostgres(folder / "postgres", _QUICK)
    server.prepare()
    program = server.program(folder / "postgres.log")
    process = processes.start(program)
    try:
        if not processes.wait_until(server.is_ready, process, _START_S):
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'postgres.log').read_text()[-2000:]}")
        server.create_serving_role()
        yield server.url("postgres")
    finally:
        processes.stop(process, program.stop_signal)


@contextmanager
def running_valkey(folder: Path) -> Iterator[str]:
    """An embedded Valkey below `folder`; its address."""
    server = EmbeddedValkey(folder / "valkey")
    server.prepare()
    process = processes.start(server.program(folder / "valkey.log"))
    try:
        if not processes.wait_until(server.is_ready, process, _START_S):
            raise RuntimeError(f"Valkey did not start: {(folder / 'valkey.log').read_text()[-2000:]}")
        yield server.url()
    finally:
        processes.stop(process)


def _numbered(valkey_url: str, worker: int) -> str:
    """A database of its own on a Valkey that test processes share; there are sixteen."""
    number = worker % 16
    return f"{valkey_url}?db={number}" if valkey_url.startswith("unix:") else f"{valkey_url.rstrip('/')}/{number}"


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(driver_url(url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
