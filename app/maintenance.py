"""The commands `loket maintenance ...`: planned times out of use, from the terminal. What they do is in app.windows."""

import asyncio

import click

from app.servers import settings_with_servers
from app.terminal import officer, reason

_OFFICER, _REASON = officer(), reason("and officers read it")


@click.group()
def maintenance() -> None:
    """Planned times in which an agency's system or one service is out of use.

    The catalogue tells them two weeks before. While one lasts, cases are taken, wait and say until when; services
    that are given at once are refused. Without a planned end, use `loket deliveries pause`.
    """


@maintenance.command("plan")
@click.option("--backend", default="", help="The agency's system, as `loket deliveries backends` names it.")
@click.option("--service", default="", help="Only this service, as the catalogue names it.")
@click.option("--starts", default="", help="When it begins; left out: now.")
@click.option("--ends", required=True, help="When it is over.")
@_REASON
@_OFFICER
def plan(officer: str, **told: str) -> None:
    """Plan maintenance of a system, of a service, or of a service at one system, and print its id.

    Times are on the city's own clock, "2026-12-01 22:00", or RFC 3339 with an offset, 2026-12-01T22:00:00+07:00.
    """
    from app import windows

    click.echo(asyncio.run(windows.plan(settings_with_servers(), windows.Asked(**told), officer)))


@maintenance.command("list")
def list_windows() -> None:
    """List what stands now and what is to come, pauses too; times on the city's own clock."""
    from app import windows

    for line in asyncio.run(windows.listed(settings_with_servers())):
        click.echo(line)


@maintenance.command("end")
@click.argument("window")
@_OFFICER
def end(window: str, officer: str) -> None:
    """End the maintenance or pause with the id WINDOW now, or call it off; what waited is sent at its own rate."""
    from app import windows

    click.echo(asyncio.run(windows.end(settings_with_servers(), window, officer)))
