"""The command `loket`: each command reads the settings and starts one part of the product."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.credentials import clients, officers
from app.data_requests import data_requests
from app.desk import deliveries
from app.maintenance import maintenance
from app.servers import settings_with_servers
from app.settings import ROOT, SettingsError, settings
from app.terminal import AS_JSON, officer, require_officer, tell

if TYPE_CHECKING:
    from litestar import Litestar

# A successor that is not ready within this is given up, and its predecessor stays.
WORKER_READY_S = 60
# Longer than clients and proxies keep a quiet connection themselves (mostly 15 to 60 s): who closes first while the
# other one sends breaks a request that nobody is to blame for.
KEEP_ALIVE_S = 75


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def loket() -> None:
    """Satu Loket: one window for a city's services. Settings are LOKET_ environment variables."""


@loket.command()
def run() -> None:
    """Run everything on this machine: servers, sandboxes, worker and API; Ctrl-C ends it."""
    from app.supervisor import Supervisor

    sys.exit(Supervisor(settings()).run())


@loket.command()
@click.option("--workers", default=1, show_default=True, help="Processes that answer requests.")
def serve(workers: int) -> None:
    """Serve the API. With two workers or more, SIGHUP brings each a successor before it leaves: an update that nobody
    notices."""
    import uvicorn

    from app.connections import CitizenConnection
    from app.discovery import require_backends

    ours = settings_with_servers()
    # Here, where it ends us: a process of ours that ends is started again and again.
    require_backends(ours)
    uvicorn.run(
        "app.cli:application",
        factory=True,
        host=ours.host,
        port=ours.port,
        workers=workers,
        http=CitizenConnection,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=10,
        timeout_worker_healthcheck=WORKER_READY_S,
    )


@loket.command()
def work() -> None:
    """Work through the jobs: deliveries, messages, polling."""
    from app.worker import main as work_on

    settings_with_servers()
    work_on()


@loket.command()
def migrate() -> None:
    """Bring the database to its newest form; safe to call at any time, from several places."""
    from app.migrate import upgrade
    from app.roles import serving_role

    ours = settings_with_servers()
    owner_url = ours.migration_database_url or ours.database_url
    asyncio.run(upgrade(owner_url, serving_role(ours.database_url, owner_url)))
    click.echo("the database has its newest form")


@loket.command()
def sandboxes() -> None:
    """Serve a sandbox of every agency's system."""
    import uvloop

    from app.discovery import sandbox_classes
    from app.sandbox.server import serve as serve_sandboxes

    ours = settings()
    uvloop.run(serve_sandboxes(sandbox_classes(), ours.data_dir, (ours.host, ours.sandbox_port), ours.issuer))


@loket.command()
@click.option("--history", is_flag=True, help="And a past: cases of years, so that officers' pages show something.")
@click.option("--cases", default=10_000, show_default=True, type=click.IntRange(1_000, 1_000_000), help="Of the past.")
@click.option("--years", default=2.0, show_default=True, type=click.FloatRange(0.1, 5), help="How long a past.")
@click.option("--seed", "number", default=1, show_default=True, help="Another number makes another past.")
def seed(*, history: bool, cases: int, years: float, number: int) -> None:
    """Make the demo's people, unless they are there; with --history a past too, once."""
    from app.demo import seed as make_people

    ours = settings_with_servers()
    click.echo(f"{asyncio.run(make_people(ours))} demo people made")
    if history:
        from app.history.seeding import Past, write_history

        click.echo(f"{asyncio.run(write_history(ours, Past(cases, years, number), click.echo)):,} cases written")


@loket.group()
def demo() -> None:
    """Things for trying out; refused in production."""


@demo.command()
@click.argument("who")
def token(who: str) -> None:
    """Print an access token of a demo citizen, by NIK, or of a demo officer, by name."""
    from app.demo import token as make_token

    click.echo(asyncio.run(make_token(settings_with_servers(), who)))


@loket.group()
def cases() -> None:
    """What an officer does with a case, from the terminal. Every look is audited."""


@cases.command()
@click.argument("number")
@click.argument("question")
@officer("asks")
def ask(number: str, question: str, officer: str) -> None:
    """Ask the citizen of case NUMBER something."""
    from app.casework import ask as ask_citizen

    click.echo(asyncio.run(ask_citizen(settings_with_servers(), number, question, officer)))


@cases.command()
@click.argument("number")
@officer("looks")
def show(number: str, officer: str) -> None:
    """Show case NUMBER with its form, timeline and deliveries, as JSON."""
    from app.casework import show as show_case

    click.echo(asyncio.run(show_case(settings_with_servers(), number, officer)))


@loket.group()
def keys() -> None:
    """The keys that tokens are signed with, and those that personal data is encrypted with."""


@keys.command("rotate-data")
@click.option("--dry-run", is_flag=True, help="Count what is left to do, and what cannot be read; change nothing.")
@officer("rotates; needed unless --dry-run", required=False)
def rotate_data_keys(*, dry_run: bool, officer: str) -> None:
    """Encrypt all personal data anew, values, words and files, while the product runs; goes on where it was ended.

    The demo makes the new key itself. With LOKET_DATA_KEY: put the new one first, the old behind it, restart every
    process, then run this; no process starts without the old one until it has said that nothing is left of it.
    LOKET_INDEX_KEY and LOKET_NAMES_KEY stay (ADR 14; `loket keys rotate-index`).
    """
    from app.clients import note_data_rotation
    from app.rekeying import rotate_data, tell_former

    ours = settings_with_servers()
    if dry_run:
        asyncio.run(tell_former(ours, click.echo))
        return
    require_officer(officer)
    asyncio.run(note_data_rotation(ours, officer))
    asyncio.run(rotate_data(ours, click.echo))


@keys.command("rotate-index")
@click.option("--dry-run", is_flag=True, help="Look whether all can be derived; change nothing. The product may run.")
@officer("rotates; needed unless --dry-run", required=False)
def rotate_index_key(*, dry_run: bool, officer: str) -> None:
    """Find everybody by another key, while no process of the product runs; goes on where it was ended.

    LOKET_INDEX_KEY: the new one, a comma, the former one. LOKET_NAMES_KEY must be set: where it never was, to the
    former index key. No process starts between this one's first change and its end (ADR 42).
    """
    from app.reindexing import rotate_index, tell_reindexing

    ours = settings_with_servers()
    if dry_run:
        asyncio.run(tell_reindexing(ours, click.echo))
        return
    require_officer(officer)
    asyncio.run(rotate_index(ours, click.echo, officer))


@keys.command("list")
def list_signing_keys() -> None:
    """The keys, oldest first: the active one signs, the next is published already, retired ones are still believed."""
    from app.clients import listed_keys

    for line in asyncio.run(listed_keys(settings_with_servers())):
        click.echo(line)


@keys.command("rotate")
@click.option("--compromised", is_flag=True, help="Believe the present key no more, at once.")
@officer("rotates")
def rotate_signing_keys(*, compromised: bool, officer: str) -> None:
    """Sign with the next key from now on. Nobody is logged out."""
    from app.clients import rotate

    click.echo(f"signing with {asyncio.run(rotate(settings_with_servers(), officer, compromised=compromised))}")


@loket.group()
def audit() -> None:
    """The record of who saw or sent whose data."""


@audit.command()
def verify() -> None:
    """Prove the record whole: every row, the chain, and the anchors outside the database. Status 1 where it is not."""
    from app.audit.checking import check, tell

    sys.exit(asyncio.run(tell(check(settings_with_servers()), click.echo)))


@audit.command("verify-export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify_export(file: Path) -> None:
    """Prove that an exported access log is what the record says, and all of it. Status 1 where it is not."""
    from app.audit.checking import check_exported, tell

    sys.exit(asyncio.run(tell(check_exported(settings_with_servers(), file.read_bytes()), click.echo)))


@loket.command("check")
@AS_JSON
def check_all(*, as_json: bool) -> None:
    """Look at all that the settings name: servers, migrations, keys, clock, files, agencies' systems; change nothing.

    Status 1 where something is broken; a warning alone leaves it 0.
    """
    from app.checkup import Finding, check

    async def find() -> list[Finding]:
        return [finding async for finding in check(settings_with_servers(), dict(os.environ))]

    found = asyncio.run(find())
    tell(found, lambda each: f"{each.state:8} {each.what}: {each.told}", as_json=as_json)
    sys.exit(1 if any(each.state == "broken" for each in found) else 0)


@loket.command("check-agency")
@click.argument("name")
def check_agency(name: str) -> None:
    """Run the port's contract against the backend that LOKET_<NAME>_URL names; changes nothing there."""
    from app.agency_check import check_agency as run_checks

    async def show() -> int:
        broken = 0
        async for verdict in run_checks(settings(), name):
            broken += bool(verdict.broken)
            where = f"{verdict.port} {verdict.facility}".strip()
            click.echo(f"{'broken' if verdict.broken else 'holds '}  {where}: {verdict.check}")
            if verdict.broken:
                click.echo(f"        {verdict.broken}")
        return broken

    sys.exit(1 if asyncio.run(show()) else 0)


@loket.command("new-service")
@click.argument("name")
@click.option("--agency", default="dpmptsp", show_default=True, help="The agency that answers for it.")
def new_service(name: str, agency: str) -> None:
    """Make services/NAME, ready to be filled in. No existing file changes."""
    from app.scaffold.folders import new_service as make

    _tell_written(lambda: make(name, agency))


@loket.command("new-integration")
@click.argument("name")
@click.option("--serves", required=True, help="The module whose port it implements.")
def new_integration(name: str, serves: str) -> None:
    """Make integrations/NAME for the port of a module. No existing file changes."""
    from app.scaffold.folders import new_integration as make

    _tell_written(lambda: make(name, serves))


def application() -> "Litestar":
    """What uvicorn serves; in a worker process of its own it ends with the process that started it."""
    from app.main import create_app
    from app.metrics import serve_metrics
    from app.processes import die_with_parent, freeze_heap

    parent = multiprocessing.parent_process()
    if parent:
        die_with_parent()
        if os.getppid() != parent.pid:
            sys.exit("the process that started this one is gone")
    app = create_app(settings())
    serve_metrics(settings())
    freeze_heap()
    return app


def main() -> None:
    try:
        loket(prog_name="loket")
    except SettingsError as error:
        sys.exit(f"loket: {error}")
    except Exception as error:
        from app.external import words_for

        told = words_for(error, settings())
        if told is None:
            raise
        sys.exit(f"loket: {told}")


def _tell_written(make: Callable[[], list[Path]]) -> None:
    from app.scaffold.folders import ScaffoldError

    try:
        for path in make():
            click.echo(path.relative_to(ROOT))
    except ScaffoldError as error:
        raise click.ClickException(str(error)) from None


for command in (clients, officers, deliveries, maintenance, data_requests):
    loket.add_command(command)


if __name__ == "__main__":
    main()
