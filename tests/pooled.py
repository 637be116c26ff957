"""The product through a real PgBouncer, for `make test-external`: pooled by session, as the README says it must be.

Not collected by `make test`: the program comes from Debian's package.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app import processes
from app.asking import SERVICE, SETTING
from app.embedded import SERVING_ROLE, _let_pass, _unprivileged_account
from app.processes import Program
from tests.harness.cases import hand_in, is_delivered, until
from tests.harness.debian import installed
from tests.harness.people import People
from tests.harness.product import Running, Sandboxes, free_port
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


@pytest.fixture(scope="module")
def pooler(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooler]:
    folder, port, account = tmp_path_factory.mktemp("pooler"), free_port(), _unprivileged_account()
    program = installed("pgbouncer", "pgbouncer")
    assert program, "`apt install pgbouncer`"
    sockets = make_url(postgres_url).query["host"]
    (folder / "users.txt").write_text(f'"{SERVING_ROLE}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={sockets} port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"unix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users.txt\npool_mode = session\n"
        f"default_pool_size = 60\nignore_startup_parameters = {','.join(IGNORED)}\n"
    )
    if account:
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        _let_pass(folder / "users.txt")
    running = Pooler(
        Program(
            name="PgBouncer",
            command=[program, str(folder / "pgbouncer.ini")],
            log=folder.with_suffix(".log"),
            account=account,
        ),
        port,
    )
    yield running
    running.stop()


@pytest.fixture(scope="module")
def environment(environment: dict[str, str], postgres_url: str, pooler: Pooler) -> dict[str, str]:
    given = make_url(environment["LOKET_DATABASE_URL"])
    through = given.set(host="127.0.0.1", port=pooler.port, query={})
    environment["LOKET_DATABASE_URL"] = through.render_as_string(hide_password=False)
    asyncio.run(settle_the_role(postgres_url, str(given.database)))
    return environment


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
