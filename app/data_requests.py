"""`loket data-requests`: what citizens asked about their data, by its clock, from the terminal."""

import asyncio

import click

from app.servers import settings_with_servers
from app.settings import Settings

_OPEN = """
SELECT id::text, kind, state, due_at, due_at < now() AS overdue FROM data_requests
WHERE ended_at IS NULL AND (NOT $1 OR due_at < now()) ORDER BY due_at, id LIMIT 1000
"""


@click.command("data-requests")
@click.option("--overdue", is_flag=True, help="Only those past their 3 x 24 hours.")
def data_requests(*, overdue: bool) -> None:
    """What citizens asked about their data and has no answer yet, the most urgent first; nobody is named."""
    for line in asyncio.run(_listed(settings_with_servers(), overdue=overdue)):
        click.echo(line)


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
