"""`loket check`: whether what this machine's settings name is there and as it should be; changes nothing of record."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from typing import Literal

import aiohttp
import asyncpg
import msgspec
from alembic.script import ScriptDirectory
from obstore.exceptions import BaseError
from redis.asyncio import Redis

from app.agency_wire import AddressRefused, Connections
from app.assembly import Product, build
from app.database import AWAY, Database, driver_url
from app.discovery import Assembly
from app.external import ExternalServerError, address, check_postgres, check_valkey
from app.ids import uuid7
from app.keyring.standing import refusal_of
from app.manifest import IntegrationManifest, integration_manifests
from app.migrate import alembic_scripts
from app.readiness.beats import any_worker
from app.settings import Settings

State = Literal["ok", "warning", "broken"]
PATIENCE_S = 5.0
# Tokens, codes and callbacks allow for a minute.
CLOCK_S = (2.0, 30.0)
LEAST_FREE = 0.2


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it stands, and what is wrong with it or was seen."""

    what: str
    state: State
    told: str


async def check(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """One finding after the other; nothing is raised for what is wrong. Raises SettingsError for settings that nothing
    starts with."""
    for name in sorted(_unread(environ)):
        yield Finding("settings", "warning", f"{name} is read by nothing: misspelt?")
    folder = _folder(settings)
    yield folder
    if folder.state == "broken":
        return
    product = build(settings, "check")
    try:
        yield await _files(product)
        yield await _valkey(settings)
        async for finding in _database(product):
            yield finding
        for finding in await asyncio.gather(*(_backend(product.found, name) for name in sorted(product.found.clients))):
            yield finding
    finally:
        await product.close()


async def _database(product: Product) -> AsyncIterator[Finding]:
    settings = product.settings
    try:
        version = await check_postgres(settings.database_url)
    except ExternalServerError as error:
        yield Finding("database", "broken", str(error))
        return
    yield Finding("database", "ok", f"PostgreSQL {version} at {address(settings.database_url, 5432)}")
    try:
        form = await _form(settings)
        yield form
        if form.state != "broken":
            yield await _keys(product)
            yield await _rights(product.database)
            yield await _worker(product.database)
        yield await _clock(product.database)
    except AWAY as error:
        yield Finding("database", "broken", f"asked, it failed: {type(error).__name__}")


async def _form(settings: Settings) -> Finding:
    """Whether every migration of this version was run. A database that is newer serves this version as well."""
    connection = await asyncpg.connect(driver_url(settings.database_url), timeout=PATIENCE_S)
    try:
        standing = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return Finding("migrations", "broken", "none was run: `loket migrate`")
    finally:
        await connection.close()
    ours = alembic_scripts()
    if standing == ours.get_current_head():
        return Finding("migrations", "ok", f"all were run, up to {standing}")
    if standing in _known(ours):
        return Finding("migrations", "broken", f"the database stands at {standing}: `loket migrate`")
    return Finding("migrations", "warning", f"the database stands at {standing}: a newer version has been here")


async def _keys(product: Product) -> Finding:
    if refusal := await refusal_of(product.database, product.vault):
        return Finding("keys", "broken", refusal)
    return Finding("keys", "ok", "they are those of this database")


async def _rights(database: Database) -> Finding:
    [row] = await database.fetch(
        "SELECT has_table_privilege('audit_rows', 'TRUNCATE') AS owns, current_setting('synchronous_commit') AS waits"
    )
    if row["owns"]:
        told = "the serving role owns the tables: row-level security does not bind it, nor the audit's rights"
        return Finding("rights", "warning", told)
    if row["waits"] == "off":
        return Finding("rights", "broken", "synchronous_commit is off: what was accepted may be lost")
    return Finding("rights", "ok", "the serving role owns nothing")


async def _worker(database: Database) -> Finding:
    if await any_worker(database):
        return Finding("worker", "ok", "one gave a sign of life within 30 s")
    return Finding("worker", "warning", "none gave a sign of life within 30 s: nothing is handed over")


async def _clock(database: Database) -> Finding:
    began = time.time()
    [row] = await database.fetch("SELECT extract(epoch FROM clock_timestamp())::float AS now")
    ahead_s = (began + time.time()) / 2 - row["now"]
    state: State = "ok" if abs(ahead_s) < CLOCK_S[0] else "warning" if abs(ahead_s) < CLOCK_S[1] else "broken"
    return Finding("clock", state, f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} PostgreSQL's")


async def _valkey(settings: Settings) -> Finding:
    try:
        version = await check_valkey(settings.valkey_url)
        async with Redis.from_url(settings.valkey_url, socket_timeout=PATIENCE_S) as client:
            policy = (await client.info("memory")).get("maxmemory_policy", "")
    except ExternalServerError as error:
        return Finding("valkey", "broken", str(error))
    if policy != "noeviction":
        return Finding(
            "valkey", "warning", f"maxmemory-policy is {policy}: noeviction keeps limits from being forgotten"
        )
    return Finding("valkey", "ok", f"{version} at {address(settings.valkey_url, 6379)}")


def _folder(settings: Settings) -> Finding:
    """The data folder, where a worker keeps the audit's anchors."""
    try:
        place = settings.data_dir / "audit"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = place / f".check-{uuid7().hex}"
        probe.write_bytes(b"x")
        probe.unlink()
        disk = shutil.disk_usage(place)
    except OSError as error:
        return Finding("data folder", "broken", f"{settings.data_dir} cannot be written to: {error.strerror}")
    free = disk.free / disk.total
    told = f"{settings.data_dir}, {free:.0%} of its disk are free"
    return Finding("data folder", "ok" if free > LEAST_FREE else "warning", told)


async def _files(product: Product) -> Finding:
    """One file is written, read and removed."""
    settings, files, file_id = product.settings, product.cases.files, uuid7()
    where = settings.files_url or str(settings.data_dir / "files")
    try:
        async with asyncio.timeout(4 * PATIENCE_S):
            await files.put(file_id, b"check")
            await files.get(file_id)
            await files.delete(file_id)
    except (BaseError, OSError) as error:  # its class alone: the words may hold credentials
        return Finding("files", "broken", f"{where} cannot be used: {type(error).__name__}")
    return Finding("files", "ok", f"{where} can be written and read")


async def _backend(found: Assembly, name: str) -> Finding:
    """Whether it answers at all: any answer will do, and nobody is named. What it says, `loket check-agency` asks."""
    client = found.clients[name]
    connections = Connections(client.manifest, client.backend)
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await connections.session(safe=True).get(client.backend.url, allow_redirects=False)
            answer.close()
    except TimeoutError:
        return Finding(name, "warning", f"no answer within {PATIENCE_S:g} s")
    except (aiohttp.ClientError, OSError) as error:
        return Finding(name, "warning", _refused(error))
    finally:
        await connections.close()
    return Finding(name, "ok", "it answers")


def _refused(error: Exception) -> str:
    inner = getattr(error, "os_error", None)
    if isinstance(inner, AddressRefused):
        return "its name leads to an address outside of its NETWORKS, or to a private one where none are named"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not one we trust: CA_FILE names another authority"
    return f"it cannot be reached ({type(inner or error).__name__})"


def _known(scripts: ScriptDirectory) -> set[str]:
    return {script.revision for script in scripts.walk_revisions()}


def _unread(environ: Mapping[str, str]) -> set[str]:
    """LOKET_ variables that nothing of ours looks at."""
    known = {f"LOKET_{name.upper()}" for name in Settings.__struct_fields__}
    for name, manifest in integration_manifests().items():
        known |= {f"LOKET_{name.upper()}_{each.upper()}" for each in _own(manifest)}
        known |= {f"LOKET_{served.upper()}_BACKEND" for served in manifest.serves}
    return {name for name in environ if name.startswith("LOKET_")} - known


def _own(manifest: IntegrationManifest) -> set[str]:
    if manifest.each_facility:
        return {"facilities"}
    return {"url", "networks", "ca_file", *manifest.settings, *manifest.credentials}
