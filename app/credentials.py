"""The commands `loket clients ...` and `loket officers ...`: the accounts of agencies' applications and of officers."""

import asyncio
from pathlib import Path
from typing import Any

import click

from app.servers import settings_with_servers
from app.terminal import officer


@click.group()
def clients() -> None:
    """Agencies' applications that log citizens in with us. Every change is audited."""


@clients.command("add")
@click.argument("client_id")
@click.option("--name", required=True, help="What citizens know it as.")
@click.option("--agency", required=True, help="The agency that runs it, as the catalogue names it.")
@click.option("--purpose-id", required=True, help="Why it asks, in Indonesian; citizens read it.")
@click.option("--purpose-en", required=True, help="The same in English.")
@click.option("--redirect-uri", "redirect_uris", multiple=True, required=True)
@click.option("--post-logout-uri", "post_logout_uris", multiple=True)
@click.option("--backchannel-logout-uri", default="", help="Where it is told that a session has ended.")
@click.option("--scope", "scopes", multiple=True, help="profile, nik, offline_access: no more than it needs.")
@click.option("--legal-basis", default="", help="The law under which it may have the NIK.")
@click.option("--sector", default="", help="The host whose applications share one `sub`, if not the redirect's.")
@click.option("--public-keys", type=click.Path(path_type=Path), help="A JWKS file: it signs instead of a secret.")
@officer("registers it")
def add_client(officer: str, public_keys: Path | None, scopes: tuple[str, ...], **told: Any) -> None:
    """Register an application as CLIENT_ID, and print its secret once."""
    from app.clients import add, read_public_keys
    from app.login.provider.clients import Application

    keys = read_public_keys(public_keys)
    asked = Application(id=told.pop("client_id"), scopes=("openid", *scopes), public_keys=keys, **told)
    click.echo(asyncio.run(add(settings_with_servers(), asked, officer)))


@clients.command("list")
def list_clients() -> None:
    """The applications that are registered."""
    from app.clients import listed

    for line in asyncio.run(listed(settings_with_servers())):
        click.echo(line)


@clients.command("remove")
@click.argument("client_id")
@officer("removes it")
def remove_client(client_id: str, officer: str) -> None:
    """Refuse CLIENT_ID and every token it holds from now on."""
    from app.clients import remove

    asyncio.run(remove(settings_with_servers(), client_id, officer))
    click.echo(f"{client_id} is removed")


@click.group()
def officers() -> None:
    """Accounts of officers. Every change is audited."""


@officers.command("add")
@click.argument("name")
@click.option("--full-name", required=True)
@click.option("--role", required=True, help="operator, supervisor, agency_head, city_admin, auditor.")
@click.option("--agency", help="The agency's id, for the first three roles.")
@click.option("--phone", help="Where the officer is told of what happens to the account.")
@officer("adds it")
def add_officer(officer: str, **told: Any) -> None:
    """Make the account NAME, and print its invitation once."""
    from app.officers import add

    given = {key: value for key, value in told.items() if value is not None}
    click.echo(asyncio.run(add(settings_with_servers(), given, officer)))


@officers.command("list")
def list_officers() -> None:
    """The accounts, by name."""
    from app.officers import listed

    for line in asyncio.run(listed(settings_with_servers())):
        click.echo(line)


@officers.command("disable")
@click.argument("name")
@officer("disables it")
def disable_officer(name: str, officer: str) -> None:
    """Shut the account NAME; its sessions end at once."""
    from app.officers import disable

    asyncio.run(disable(settings_with_servers(), name, officer))
    click.echo(f"{name} is disabled")
