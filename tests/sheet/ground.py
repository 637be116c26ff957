"""The product with two years of history, and an officer of each role at its pages: what the sheet photographs."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from litestar import Litestar

from app.assembly import build
from app.history.seeding import Past, write_history
from app.login.guards import Role
from app.login.officers.browsers import SESSION
from app.login.officers.sessions import Place, open_officer_session
from app.texts import Language
from tests.harness.officers import OfficerAtWork, Officers
from tests.harness.product import Api, free_port, running_api, running_sandboxes
from tests.harness.servers import running_servers
from tests.harness.tables import Tables
from tests.sheet.dressing import dress

# Whose pages differ: an agency's people, those of the whole city, and those of an agency where nothing has begun.
ROLES: tuple[tuple[Role, str], ...] = (
    ("operator", "dpmptsp"),
    ("supervisor", "dpmptsp"),
    ("agency_head", "dinkes"),
    ("city_admin", ""),
    ("auditor", ""),
    ("supervisor", "dindik"),
)


class AtPages(msgspec.Struct, frozen=True):
    """An officer logged in at the pages, by the cookie of their browser."""

    name: str
    officer: OfficerAtWork
    cookie: str


# Agencies' systems as a city has them when every agency is connected, by agency.
_MORE_SYSTEMS = {
    "dindik": ("PPDB dan pindah sekolah", "Data pokok pendidikan"),
    "dishub": ("Uji kendaraan", "Andalalin"),
    "disdukcapil": ("Akta kelahiran dan kematian", "Kartu identitas anak"),
    "dlh": ("Persetujuan lingkungan", "Pengangkutan sampah"),
    "dinkes": ("Rekam medis Puskesmas Sukorame", "Rekam medis Puskesmas Balowerti", "Izin praktik tenaga kesehatan"),
    "dpmptsp": ("Persetujuan bangunan gedung",),
}


class Ground(msgspec.Struct, frozen=True):
    """`crowded`: the same city, with as many systems as there may once be."""

    api: Api
    crowded: Api


@contextmanager
def ground() -> Iterator[Ground]:
    """The API with sandboxes, on servers of its own. No worker: it would ask agencies after what they never saw."""
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers(0))
        database = servers.create_database()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        environment = {
            "LOKET_DATABASE_URL": servers.serving_url(database),
            "LOKET_MIGRATION_DATABASE_URL": database,
            "LOKET_VALKEY_URL": servers.valkey_url,
            "LOKET_DATA_DIR": str(folder),
            "LOKET_PORT": str(free_port()),
            "LOKET_SANDBOX_PORT": str(free_port()),
            "LOKET_LIMITS": "load",
            "LOKET_LOG_LEVEL": "warning",
        }
        api = stack.enter_context(running_api(environment))
        stack.enter_context(running_sandboxes(int(environment["LOKET_SANDBOX_PORT"]), folder, api.url))
        more = {**environment, "LOKET_PORT": str(free_port())}
        yield Ground(api, stack.enter_context(running_api(more, _crowd)))


def _crowd(application: Litestar) -> None:
    known = application.state["cases"].systems
    assert isinstance(known, dict)
    for agency, titles in _MORE_SYSTEMS.items():
        for number, title in enumerate(titles):
            known[f"{agency}_{number}"] = msgspec.structs.replace(known["sicantik"], agency=agency, title=title)


async def fill(api: Api, cases: int) -> None:
    """Two years of cases, and what a busy day leaves behind; nothing works on them."""
    await write_history(api.settings, Past(cases), print)
    product = build(api.settings, "sheet")
    async with Tables(api.settings.migration_database_url) as tables:
        await dress(product, tables)
    await product.close()


async def log_in(officers: Officers, at: tuple[Role, str], language: Language) -> AtPages:
    """A new officer of this role and agency, also logged in elsewhere."""
    role, agency = at
    officer = await officers.make(role, agency or "dpmptsp", language=language)
    product = officers.product
    async with product.database.transaction() as session:
        devices = ("Safari, iPhone", "Firefox, Windows")
        [_, opened] = [
            open_officer_session(session, product.vault, officer.id, "page", Place(each, "")) for each in devices
        ]
    return AtPages("new_agency" if agency == "dindik" else role, officer, f"{SESSION}={opened.cookie}")
