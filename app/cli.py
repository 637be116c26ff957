"""The command `loket`: each command reads the settings and starts one part of the product."""

import asyncio
import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

import click

from app.settings import Settings, SettingsError, settings

if TYPE_CHECKING:
    from litestar import Litestar


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
    """Serve the API."""
    import uvicorn

    ours = _with_servers()
    uvicorn.run(
        "app.cli:application",
        factory=True,
        host=ours.host,
        port=ours.port,
        workers=workers,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


@loket.command()
def work() -> None:
    """Work through the jobs: deliveries, messages, polling."""
    from app.worker import main as work_on

    _with_servers()
    work_on()


@loket.command()
def migrate() -> None:
    """Bring the database to its newest form; safe to call at any time, from several places."""
    from app.migrate import upgrade

    asyncio.run(upgrade(_with_servers().database_url))


@loket.command()
def sandboxes() -> None:
    """Serve a sandbox of every agency's system."""
    from app.discovery import sandbox_classes
    from app.sandbox.server import serve as serve_sandboxes

    ours = settings()
    asyncio.run(serve_sandboxes(sandbox_classes(), ours.data_dir, ours.host, ours.sandbox_port))


def application() -> "Litestar":
    """What uvicorn serves; in a worker process of its own it ends with the process that started it."""
    from app.main import create_app
    from app.processes import die_with_parent

    if multiprocessing.parent_process():
        die_with_parent()
    return create_app(settings())


def main() -> None:
    try:
        loket(prog_name="loket")
    except SettingsError as error:
        sys.exit(f"loket: {error}")


def _with_servers() -> Settings:
    """The settings, with the addresses of the embedded servers of `loket run` where none are named."""
    from app.embedded import EmbeddedPostgres, EmbeddedValkey

    ours = settings()
    if not ours.database_url:
        postgres = EmbeddedPostgres(ours.data_dir / "postgres")
        if not postgres.exists():
            raise SettingsError("no database: set LOKET_DATABASE_URL, or have `make run` running in another terminal")
        os.environ["LOKET_DATABASE_URL"] = postgres.url()
    if not ours.valkey_url:
        os.environ["LOKET_VALKEY_URL"] = EmbeddedValkey(ours.data_dir / "valkey").url()
    settings.cache_clear()
    return settings()


if __name__ == "__main__":
    main()
