"""The commands `loket deliveries ...`: the operator's desk from the terminal. What they do is in app.deskwork."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from app.servers import settings_with_servers

if TYPE_CHECKING:
    from app.deliveries.schemas import DeliveryItem

_OFFICER = click.option("--officer", required=True, help="Who acts; stands in the audit record.")
_REASON = click.option("--reason", required=True, help="Why; stands in the audit record, and is told where it matters.")


@click.group()
def deliveries() -> None:
    """What waits for an agency's system, why, and what is done about it. Every look and action is audited."""


@deliveries.command("list")
@click.option("--backend", help="Only those for this system.")
@click.option("--state", help="queued, delivering, needs_operator, delivered or rejected; else all that wait.")
@click.option("--reason", help="Only those that wait for this reason, such as gave_up.")
@click.option("--case", help="Only those of the case with this number.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def list_waiting(limit: int, **filters: Any) -> None:
    """List what waits, longest first."""
    from app import deskwork
    from app.deliveries.desk import Wanted

    for item in asyncio.run(deskwork.waiting(settings_with_servers(), Wanted(limit, **filters))):
        click.echo(_line(item))


@deliveries.command("show")
@click.argument("delivery")
@_OFFICER
def show(delivery: str, officer: str) -> None:
    """Show DELIVERY with every try and what was said, masked, as JSON."""
    from app import deskwork

    click.echo(asyncio.run(deskwork.show(settings_with_servers(), delivery, officer)))


@deliveries.command("retry")
@click.argument("delivery")
@_REASON
@_OFFICER
def retry(delivery: str, reason: str, officer: str) -> None:
    """Try DELIVERY now, and for another 72 hours."""
    from app import deskwork

    asyncio.run(deskwork.retry(settings_with_servers(), delivery, reason, officer))
    click.echo(f"{delivery} is tried again")


@deliveries.command("retry-all")
@click.argument("backend")
@_REASON
@_OFFICER
def retry_all(backend: str, reason: str, officer: str) -> None:
    """Try the oldest deliveries of BACKEND that wait for an officer again, at most a hundred."""
    from app import deskwork
    from app.deliveries.schemas import ManyRetried

    done = asyncio.run(deskwork.retry_many(settings_with_servers(), ManyRetried(reason, backend=backend), officer))
    click.echo(f"{len(done.retried)} are tried again, {done.left} more wait")
    for refused in done.refused:
        click.echo(f"{refused.id} left as it is: {refused.code}")


@deliveries.command("resolve")
@click.argument("delivery")
@click.argument("outcome", type=click.Choice(["delivered", "rejected", "send_again"]))
@click.option("--reference", help="The agency's number, where it has the case.")
@_REASON
@_OFFICER
def resolve(delivery: str, outcome: Any, reference: str | None, reason: str, officer: str) -> None:
    """Say how DELIVERY ended, as you have found out at the agency."""
    from app import deskwork
    from app.deliveries.schemas import Resolution

    asyncio.run(deskwork.resolve(settings_with_servers(), delivery, Resolution(outcome, reason, reference), officer))
    click.echo(f"{delivery}: {outcome}")


@deliveries.command("backends")
def backends() -> None:
    """List the agencies' systems: what waits for each, pauses and open breakers."""
    from app import deskwork

    for each in asyncio.run(deskwork.systems(settings_with_servers())):
        shut = [breaker.operation for breaker in each.breakers if breaker.state != "closed"]
        told = ["paused"] * each.paused + [f"breaker open: {', '.join(shut)}"] * bool(shut)
        waits = f"{each.queued} queued, {each.delivering} under way, {each.needs_operator} for an officer"
        click.echo("  ".join([each.name, waits, *told]))


@deliveries.command("pause")
@click.argument("backend")
@_REASON
@_OFFICER
def pause(backend: str, reason: str, officer: str) -> None:
    """Send nothing more to BACKEND; cases for it wait, and say so."""
    from app import deskwork

    asyncio.run(deskwork.pause(settings_with_servers(), backend, reason, officer))
    click.echo(f"{backend} is paused")


@deliveries.command("resume")
@click.argument("backend")
@_REASON
@_OFFICER
def resume(backend: str, reason: str, officer: str) -> None:
    """End the pause of BACKEND; what waited is sent at its own rate."""
    from app import deskwork

    asyncio.run(deskwork.resume(settings_with_servers(), backend, reason, officer))
    click.echo(f"{backend} goes on")


@deliveries.command("parked")
def parked() -> None:
    """List jobs that failed in a way nobody foresaw."""
    from app import deskwork

    for job in asyncio.run(deskwork.parked_jobs(settings_with_servers())):
        click.echo(f"{job.id}  {job.queue}  since {job.parked_at:%Y-%m-%d %H:%M}  {job.error}")


@deliveries.command("requeue")
@click.argument("job", type=int)
@_REASON
@_OFFICER
def requeue(job: int, reason: str, officer: str) -> None:
    """Run the parked JOB once more."""
    from app import deskwork

    asyncio.run(deskwork.queue_again(settings_with_servers(), job, reason, officer))
    click.echo(f"{job} is queued again")


@deliveries.command("strays")
@click.option("--backend", default="", help="Only what this system told.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def strays(backend: str, limit: int) -> None:
    """List what agencies' systems told about nothing of ours, longest waiting first."""
    from app import deskwork
    from app.callbacks.desk import Wanted

    for each in asyncio.run(deskwork.strays(settings_with_servers(), Wanted(limit, backend=backend))):
        told = f"{each.received_at:%Y-%m-%d %H:%M}, {each.times} times"
        click.echo(f"{each.id}  {each.backend} {each.about} {each.reference}  {told}: {each.said}")


@deliveries.command("dismiss")
@click.argument("callback")
@_REASON
@_OFFICER
def dismiss(callback: str, reason: str, officer: str) -> None:
    """Say that nothing will come of CALLBACK, one of `strays`."""
    from app import deskwork

    done = asyncio.run(deskwork.dismiss(settings_with_servers(), callback, reason, officer))
    click.echo(f"{callback} is dismissed" if done else f"{callback} is not waiting")


def _line(item: "DeliveryItem") -> str:
    since = f"{item.since:%Y-%m-%d %H:%M}"
    return f"{item.id}  {item.case_number}  {item.backend} {item.operation}  {item.state} since {since}: {item.text}"
