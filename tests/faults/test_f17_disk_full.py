"""F17: the disk that holds the tables is full: reads work, writes are told when to come again, and it recovers alone.

The write-ahead log is on another disk, as it should be: without that PostgreSQL cannot even run.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url

from app.embedded import SERVING_ROLE, _let_pass, _unprivileged_account
from app.migrate import upgrade
from tests.harness.cases import SERVICE, new_key
from tests.harness.figures import Tell
from tests.harness.people import Citizen
from tests.harness.servers import _execute, running_postgres
from tests.harness.tables import Tables

SIZE_MB = 96
MOST_WRITES = 3000
BACK_S, PATIENCE_S = 5.0, 60.0
# Where no file system of its own may be mounted: what PostgreSQL says when it is full, said by a trigger.
STAND_IN = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'could not extend file: No space left on device'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON case_events FOR EACH ROW EXECUTE FUNCTION full_disk()
"""


class Disk:
    """A small file system, or None where we may not mount one; `fill` and `free` it."""

    def __init__(self, folder: Path | None, url: str) -> None:
        self.folder, self.url = folder, url

    async def fill(self) -> None:
        if self.folder is None:
            await _execute(self.url, STAND_IN)
            return
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            piece = b"\0" * 65536
            try:
                while ballast.write(piece):
                    pass
            except OSError:
                return

    async def free(self) -> None:
        if self.folder is None:
            await _execute(self.url, "DROP TRIGGER full_disk ON case_events")
        else:
            (self.folder / "ballast").unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    account = _unprivileged_account()
    mount = shutil.which("mount")
    if os.geteuid() or not mount or subprocess.run(_mounting(mount, folder), check=False).returncode:
        yield None
        return
    try:
        space = folder / "space"
        space.mkdir(mode=0o700)
        if account:
            os.chown(space, account.uid, account.gid)
            _let_pass(space)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mounting(mount: str, folder: Path) -> list[str]:
    return [mount, "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0755", "tmpfs", str(folder)]


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="loket-test-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "small").mkdir()
        small = stack.enter_context(small_disk(folder / "small"))
        admin = stack.enter_context(running_postgres(folder))
        where = ""
        if small is not None:
            asyncio.run(_execute(admin, f"CREATE TABLESPACE small LOCATION '{small / 'space'}'"))
            where = "TABLESPACE small"
        asyncio.run(_execute(admin, f"CREATE DATABASE loket TEMPLATE template0 {where}"))
        url = make_url(admin).set(database="loket").render_as_string(hide_password=False)
        asyncio.run(upgrade(url, SERVING_ROLE))
        yield Disk(small, url)


@pytest.fixture(scope="module")
def postgres_url(disk: Disk) -> str:
    return disk.url


async def write(citizen: Citizen) -> httpx.Response:
    form = {"purpose": os.urandom(200).hex()}
    return await citizen.post("/v1/cases", {"service": SERVICE, "form": form, "draft": True}, key=new_key())


@pytest.mark.timeout(300)
async def test_reads_work_writes_are_refused_and_it_recovers_alone(citizen: Citizen, disk: Disk, tell: Tell) -> None:
    stored: list[str] = []
    answer = await write(citizen)
    assert answer.status_code == 201
    await disk.fill()
    while answer.status_code == 201 and len(stored) < MOST_WRITES:
        # What room its pages still have is used up first.
        stored.append(answer.json()["id"])
        answer = await write(citizen)
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable"), answer.text
    assert int(answer.headers["retry-after"]) > 0
    for path in ("/v1/cases", "/v1/me", "/v1/services"):
        read = await citizen.get(path)
        assert read.status_code == 200, read.text
    await disk.free()
    begun = time.monotonic()
    while (answer := await write(citizen)).status_code != 201:
        assert answer.status_code == 503, answer.text
        assert time.monotonic() - begun < PATIENCE_S
    back_s = time.monotonic() - begun
    how = "full file system" if disk.folder else "PostgreSQL's own word for it, as nothing could be mounted here"
    tell(f"F17: written again {back_s:.2f} s after there was room ({how}); asked {BACK_S} s")
    assert back_s <= BACK_S
    async with Tables(disk.url) as tables:
        found = {str(row["id"]) for row in await tables.rows("SELECT id FROM cases")}
        assert found == {*stored, answer.json()["id"]}
