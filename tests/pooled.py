"""The product through a real PgBouncer, for `make test-external`: pooled by session, as the README says it must be; by
transaction it does not start.

Not collected by `make test`: the program comes from Debian's package.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app import processes
from app.asking import SERVICE, SETTING
from app.database import Database
from app.embedded import SERVING_ROLE, _let_pass, _unprivileged_account
from app.pooling import is_shared
from app.processes import Program
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.debian import installed
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes, free_port, start_command
from tests.harness.tables import Tables

# What the connection would say itself, were there no pooler between that refuses to hear it.
OF_THE_ROLE = {
    "statement_timeout": "10s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "15s",
    SETTING: SERVICE,
}
# The worker's own connection to its queue commits without waiting for the disk; through a pooler it waits.
IGNORED = (*OF_THE_ROLE, "synchronous_commit")
BACK_S, START_S = 10.0, 30
CITIZENS = 12


class Pooler:
    """One PgBouncer that can be stopped and started."""

    def __init__(self, program: Program, port: int) -> None:
        self.port = port
        self._program = program
        self.start()

    def start(self) -> None:
        self._process = processes.start(self._program)
        log = self._program.log
        said = processes.wait_until(lambda: bool(log and b"process up" in log.read_bytes()), self._process, START_S)
        assert said, log and log.read_text()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        processes.stop(self._process)


@contextmanager
def running_pooler(postgres_url: str, folder: Path, mode: str, **options: object) -> Iterator[Pooler]:
    """One that pools by `mode`, before the cluster of `postgres_url`."""
    port, account = free_port(), _unprivileged_account()
    folder.mkdir(exist_ok=True)
    program = installed("pgbouncer", "pgbouncer")
    assert program, "`apt install pgbouncer`"
    sockets = make_url(postgres_url).query["host"]
    (folder / "users.txt").write_text(f'"{SERVING_ROLE}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={sockets} port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users.txt\npool_mode = {mode}\n"
        f"ignore_startup_parameters = {','.join(IGNORED)}\n"
        + "".join(f"{name} = {value}\n" for name, value in ({"default_pool_size": 60} | options).items())
    )
    if account:
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        _let_pass(folder / "users.txt")
    pooler = Pooler(
        Program(
            name="PgBouncer",
            command=[program, str(folder / "pgbouncer.ini")],
            log=folder.with_suffix(".log"),
            account=account,
        ),
        port,
    )
    try:
        yield pooler
    finally:
        pooler.stop()


@pytest.fixture(scope="module")
def pooler(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooler]:
    with running_pooler(postgres_url, tmp_path_factory.mktemp("pooler"), "session") as running:
        yield running


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], postgres_url: str, pooler: Pooler) -> dict[str, str]:
    direct = environment["LOKET_DATABASE_URL"]
    environment["LOKET_DATABASE_URL"] = through(pooler, direct)
    asyncio.run(settle_the_role(postgres_url, str(make_url(direct).database)))
    return environment


def through(pooler: Pooler, direct: str) -> str:
    """The address `direct` by way of the pooler."""
    return make_url(direct).set(host="127.0.0.1", port=pooler.port, query={}).render_as_string(hide_password=False)


async def settle_the_role(owner_url: str, database: str) -> None:
    async with Tables(owner_url) as tables:
        for name, value in OF_THE_ROLE.items():
            await tables.run(f"ALTER ROLE {SERVING_ROLE} IN DATABASE \"{database}\" SET {name} = '{value}'")


async def test_cases_are_delivered_and_everybody_sees_their_own(
    people: People, sandboxes: Sandboxes, start_process: Callable[..., Running], pooler: Pooler
) -> None:
    """Prepared statements, what a connection says of who asks, LISTEN and advisory locks: all hold through it."""
    start_process("work").wait_for("worker ready")
    citizens = [await people.make() for _ in range(CITIZENS)]
    opened = await asyncio.gather(*(hand_in(citizen) for citizen in citizens))
    for citizen, case in zip(citizens, opened, strict=True):
        await until(citizen, case["id"], is_delivered)
        assert [one["id"] for one in (await citizen.get("/v1/cases")).json()["items"]] == [case["id"]]
    other = citizens[1]
    assert (await other.get(f"/v1/cases/{opened[0]['id']}")).status_code == 404


async def test_a_connection_through_it_has_its_limits(environment: dict[str, str]) -> None:
    connection = await asyncpg.connect(environment["LOKET_DATABASE_URL"])
    try:
        for name, value in OF_THE_ROLE.items():
            assert await connection.fetchval("SELECT current_setting($1)", name) == value
    finally:
        await connection.close()


async def test_its_end_is_a_short_pause(people: People, pooler: Pooler) -> None:
    citizen = await people.make()
    assert (await citizen.get("/v1/cases")).status_code == 200
    pooler.kill()
    refused = await citizen.get("/v1/cases")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert (await citizen.get("/healthz")).status_code == 200
    pooler.start()
    begun = time.monotonic()
    while (await citizen.get("/v1/cases")).status_code != 200:
        assert time.monotonic() - begun < BACK_S
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("command", ["serve", "work"])
def test_by_transaction_it_does_not_start(
    postgres_url: str, environment: dict[str, str], tmp_path: Path, command: str
) -> None:
    with running_pooler(postgres_url, tmp_path / "pooler", "transaction") as shared:
        given = {**environment, "LOKET_DATABASE_URL": through(shared, environment["LOKET_DATABASE_URL"])}
        started = start_command(command, environment=given, log=tmp_path / "said.log")
        try:
            assert started.process.wait(START_S) != 0
        finally:
            started.stop()
    assert "pools by transaction" in started.output()
    assert "pool_mode = session" in started.output()


@pytest.mark.parametrize(
    ("mode", "options", "busy"),
    [
        ("session", {}, 0),
        ("session", {}, 6),
        ("session", {"server_round_robin": 1}, 6),
        # By session one connection serves one client: nobody else gets in, nor does our second.
        ("session", {"default_pool_size": 1}, 0),
        ("transaction", {}, 0),
        ("transaction", {}, 6),
        ("transaction", {"server_round_robin": 1}, 0),
        ("transaction", {"server_round_robin": 1}, 6),
        ("transaction", {"default_pool_size": 1}, 0),
        ("transaction", {"default_pool_size": 1}, 6),
        ("transaction", {"default_pool_size": 2, "server_round_robin": 1}, 0),
        ("statement", {}, 0),
        ("statement", {}, 6),
    ],
)
async def test_which_it_is_is_seen_whoever_else_is_there(
    postgres_url: str, environment: dict[str, str], tmp_path: Path, mode: str, options: dict[str, object], busy: int
) -> None:
    with running_pooler(postgres_url, tmp_path / "pooler", mode, **options) as pooler:
        address = through(pooler, environment["LOKET_DATABASE_URL"])
        async with others_at_work(address, busy):
            for _ in range(5):
                database = Database(address, pool_size=2, name="test")
                seen = await is_shared(database)
                await database.close()
                assert seen == (mode != "session")


@asynccontextmanager
async def others_at_work(address: str, count: int) -> AsyncIterator[None]:
    """So many clients beside, each with short statements and transactions of its own."""
    begun = [asyncio.create_task(_at_work(address)) for _ in range(count)]
    try:
        yield
    finally:
        for each in begun:
            each.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


async def _at_work(address: str) -> None:
    connection = await asyncpg.connect(address)
    try:
        while True:
            # By statement the second is refused, and the connection with it.
            with suppress(asyncpg.PostgresError):
                await connection.execute("SELECT pg_sleep(0.001)")
                await connection.execute("BEGIN; SELECT pg_sleep(0.002); COMMIT")
    finally:
        connection.terminate()
