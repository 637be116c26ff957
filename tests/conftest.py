"""Fixtures every test may use: real servers, the product over real sockets, and a citizen who is logged in.

One PostgreSQL, Valkey and sandbox process for each test process; a fresh migrated database for each test module.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from app.assembly import Product, build
from app.processes import freeze_heap
from tests.harness.audit_words import keys_without_words
from tests.harness.figures import Figures, tell  # noqa: F401 -- a fixture
from tests.harness.last_resort import LastResort
from tests.harness.officers import Officers
from tests.harness.people import Citizen, People
from tests.harness.product import (
    Api,
    Running,
    Sandboxes,
    free_port,
    running_api,
    running_sandboxes,
    start_command,
)
from tests.harness.scheduler import FailuresAtOnce, pytest_xdist_make_scheduler  # noqa: F401 -- a hook
from tests.harness.servers import Servers, running_servers
from tests.harness.skips import SkipWatch
from tests.harness.tables import Tables

# What a process of its own says goes into a file, where a test can look for it.
PROCESS = {"LOKET_LOG_LEVEL": "info"}
# How fast examples are made and tried says only how loaded the machine is.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
# A file is one process's: those that last longest begin first, so that none is left when all others are done.
LONGEST = (
    "tests/contract",
    "tests/app/dashboards/test_walk",
    "tests/conformance",
    "tests/chaos",
    "tests/planted",
    "tests/faults",
    "tests/test_readme",
)


def pytest_collection_finish() -> None:
    # Thousands of tests and the product's modules live as long as the process: nobody need look through them for waste.
    freeze_heap()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((at for at, place in enumerate(LONGEST) if item.nodeid.startswith(place)), 99))


@pytest.fixture(scope="session")
def servers(worker_id: str) -> Iterator[Servers]:
    """PostgreSQL and Valkey of this test process, embedded unless LOKET_TEST_DATABASE_URL / _VALKEY_URL name others."""
    with running_servers(int(worker_id.removeprefix("gw")) if worker_id != "master" else 0) as running:
        yield running


@pytest.fixture(scope="module")
def postgres_url(servers: Servers) -> Iterator[str]:
    """A fresh migrated database for this module. Whatever the product wrote into its audit has words for citizens."""
    url = servers.create_database()
    yield url
    missing = keys_without_words(url)
    servers.drop_database(url)
    assert not missing, f"these stand in the audit about a citizen, and in no texts.toml: {missing}"


@pytest.fixture(scope="session")
def valkey_url(servers: Servers) -> str:
    return servers.valkey_url


@pytest.fixture(scope="module")
def environment(servers: Servers, postgres_url: str, valkey_url: str) -> Iterator[dict[str, str]]:
    """The LOKET_ variables of this module's product. A module's own fixture may change them before `api` starts."""
    data = Path(tempfile.mkdtemp(prefix="loket-data-"))
    yield {
        "LOKET_DATABASE_URL": servers.serving_url(postgres_url),
        "LOKET_MIGRATION_DATABASE_URL": postgres_url,
        "LOKET_VALKEY_URL": valkey_url,
        "LOKET_DATA_DIR": str(data),
        "LOKET_PORT": str(free_port()),
        "LOKET_SANDBOX_PORT": str(free_port()),
        "LOKET_LIMITS": "load",
        "LOKET_LOG_LEVEL": "warning",
    }
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture(scope="module")
def start_process(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Running]]:
    """`start_process("work", LOKET_X="...")` runs a `loket` command as a process until the module's end."""
    started: list[Running] = []

    def start(*arguments: str, **more: str) -> Running:
        log = tmp_path_factory.mktemp("log") / f"{arguments[0]}.log"
        started.append(start_command(*arguments, environment={**environment, **PROCESS, **more}, log=log))
        return started[-1]

    yield start
    for running in reversed(started):
        running.stop()


@pytest.fixture(scope="module")
def api(environment: dict[str, str]) -> Iterator[Api]:
    """The running API, over real sockets: `api.url`, `api.client(token=..., language=...)`."""
    with running_api(environment) as running:
        yield running
        missing = running.witness.unrecorded(running.settings.database_url)
    assert not missing, "\n".join(missing)


@pytest.fixture(scope="module")
def sandboxes(environment: dict[str, str]) -> Iterator[Sandboxes]:
    """The agencies' systems: `sandboxes.url("sicantik")`, `sandboxes.bench("sicantik")` for faults, ledger and work."""
    port, product_url = int(environment["LOKET_SANDBOX_PORT"]), f"http://127.0.0.1:{environment['LOKET_PORT']}"
    with running_sandboxes(port, Path(environment["LOKET_DATA_DIR"]), product_url) as running:
        yield running


@pytest.fixture(scope="module")
def worker(start_process: Callable[..., Running], sandboxes: Sandboxes) -> Running:
    """A worker process, ready: `.kill()` is SIGKILL. `start_process("work")` starts more."""
    running = start_process("work")
    running.wait_for("worker ready")
    return running


@pytest.fixture(scope="module")
async def people(api: Api) -> AsyncIterator[People]:
    """`await people.make()` gives one more citizen who is logged in."""
    async with People(api) as made:
        yield made


@pytest.fixture(scope="module")
async def tables(postgres_url: str) -> AsyncIterator[Tables]:
    """The tables themselves, for what no API shows."""
    async with Tables(postgres_url) as opened:
        yield opened


@pytest.fixture(scope="module")
async def product(api: Api) -> AsyncIterator[Product]:
    """The product's parts in this process, for what a test does in a worker's place."""
    built = build(api.settings, "test")
    yield built
    await built.close()


@pytest.fixture(scope="module")
async def officers(api: Api) -> AsyncIterator[Officers]:
    """`await officers.make("operator", "dinkes")` gives one more officer who is logged in."""
    async with Officers(api) as made:
        yield made


@pytest.fixture(scope="module")
async def citizen(people: People) -> Citizen:
    """A citizen who is logged in: `.get`, `.post`, `.client`, `.token`, `.id`, `.person`."""
    return await people.make()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LastResort(), "last-resort")
    config.pluginmanager.register(SkipWatch(), "skip-watch")
    config.pluginmanager.register(Figures(), "figures")
    config.pluginmanager.register(FailuresAtOnce(config))
