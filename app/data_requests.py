"""`loket data-requests`: what citizens asked about their data, by its clock, from the terminal."""

import asyncio
from collections.abc import Callable

import click

from app.settings import Settings

_OPEN = """
SELECT id::text, kind, state, due_at, due_at < now() AS overdue FROM data_requests
WHERE ended_at IS NULL AND (NOT $1 OR due_at < now()) ORDER BY due_at, id LIMIT 1000
"""


def data_requests_command(settings_of: Callable[[], Settings]) -> click.Command:
    """The command; `settings_of` gives the settings once it runs."""

    @click.command("data-requests")
    @click.option("--overdue", is_flag=True, help="Only those past their 3 x 24 hours.")
    def data_requests(*, overdue: bool) -> None:
        """What citizens asked about their data and has no answer yet, the most urgent first; nobody is named."""
        for line in asyncio.run(_listed(settings_of(), overdue=overdue)):
            click.echo(line)

    return data_requests


async def _listed(settings: Settings, *, overdue: bool) -> list[str]:
    from app.database import Database

    database = Database(settings.database_url, pool_size=1, name="data-requests")
    try:
        rows = await database.fetch(_OPEN, overdue)
    finally:
        await database.close()
    return [
        f"{row['id']}  {row['kind']:<11}  {row['state']:<8}  due {row['due_at']:%Y-%m-%d %H:%M} UTC"
        + ("  OVERDUE" if row["overdue"] else "")
        for row in rows
    ]
