"""The commands `loket deliveries ...`: the operator's desk from the terminal. What they do is in app.deskwork."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from app.settings import Settings

if TYPE_CHECKING:
    from app.deliveries.schemas import DeliveryItem

WithServers = Callable[[], Settings]
_OFFICER = click.option("--officer", required=True, help="Who acts; stands in the audit record.")
_REASON = click.option("--reason", required=True, help="Why; stands in the audit record, and is told where it matters.")


def deliveries_group(with_servers: WithServers) -> click.Group:
    """The group, on the settings that `with_servers` gives when a command runs."""

    @click.group()
    def deliveries() -> None:
        """What waits for an agency's system, why, and what is done about it. Every look and action is audited."""

    for command in (
        _list,
        _show,
        _retry,
        _retry_all,
        _resolve,
        _backends,
        _pause,
        _resume,
        _parked,
        _requeue,
        _strays,
        _dismiss,
    ):
        deliveries.add_command(command(with_servers))
    return deliveries


def _list(with_servers: WithServers) -> click.Command:
    @click.command("list")
    @click.option("--backend", help="Only those for this system.")
    @click.option("--state", help="queued, delivering, needs_operator, delivered or rejected; else all that wait.")
    @click.option("--reason", help="Only those that wait for this reason, such as gave_up.")
    @click.option("--case", help="Only those of the case with this number.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
    def command(limit: int, **filters: Any) -> None:
        """List what waits, longest first."""
        from app.deliveries.desk import Wanted
        from app.deskwork import waiting

        for item in asyncio.run(waiting(with_servers(), Wanted(limit, **filters))):
            click.echo(_line(item))

    return command


def _show(with_servers: WithServers) -> click.Command:
    @click.command("show")
    @click.argument("delivery")
    @_OFFICER
    def command(delivery: str, officer: str) -> None:
        """Show DELIVERY with every try and what was said, masked, as JSON."""
        from app.deskwork import show

        click.echo(asyncio.run(show(with_servers(), delivery, officer)))

    return command


def _retry(with_servers: WithServers) -> click.Command:
    @click.command("retry")
    @click.argument("delivery")
    @_REASON
    @_OFFICER
    def command(delivery: str, reason: str, officer: str) -> None:
        """Try DELIVERY now, and for another 72 hours."""
        from app.deskwork import retry

        asyncio.run(retry(with_servers(), delivery, reason, officer))
        click.echo(f"{delivery} is tried again")

    return command


def _retry_all(with_servers: WithServers) -> click.Command:
    @click.command("retry-all")
    @click.argument("backend")
    @_REASON
    @_OFFICER
    def command(backend: str, reason: str, officer: str) -> None:
        """Try the oldest deliveries of BACKEND that wait for an officer again, at most a hundred."""
        from app.deliveries.schemas import ManyRetried
        from app.deskwork import retry_many

        done = asyncio.run(retry_many(with_servers(), ManyRetried(reason, backend=backend), officer))
        click.echo(f"{len(done.retried)} are tried again, {done.left} more wait")
        for refused in done.refused:
            click.echo(f"{refused.id} left as it is: {refused.code}")

    return command


def _resolve(with_servers: WithServers) -> click.Command:
    @click.command("resolve")
    @click.argument("delivery")
    @click.argument("outcome", type=click.Choice(["delivered", "rejected", "send_again"]))
    @click.option("--reference", help="The agency's number, where it has the case.")
    @_REASON
    @_OFFICER
    def command(delivery: str, outcome: Any, reference: str | None, reason: str, officer: str) -> None:
        """Say how DELIVERY ended, as you have found out at the agency."""
        from app.deliveries.schemas import Resolution
        from app.deskwork import resolve

        asyncio.run(resolve(with_servers(), delivery, Resolution(outcome, reason, reference), officer))
        click.echo(f"{delivery}: {outcome}")

    return command


def _backends(with_servers: WithServers) -> click.Command:
    @click.command("backends")
    def command() -> None:
        """List the agencies' systems: what waits for each, pauses and open breakers."""
        from app.deskwork import systems

        for each in asyncio.run(systems(with_servers())):
            shut = [breaker.operation for breaker in each.breakers if breaker.state != "closed"]
            told = ["paused"] * each.paused + [f"breaker open: {', '.join(shut)}"] * bool(shut)
            waits = f"{each.queued} queued, {each.delivering} under way, {each.needs_operator} for an officer"
            click.echo("  ".join([each.name, waits, *told]))

    return command


def _pause(with_servers: WithServers) -> click.Command:
    @click.command("pause")
    @click.argument("backend")
    @_REASON
    @_OFFICER
    def command(backend: str, reason: str, officer: str) -> None:
        """Send nothing more to BACKEND; cases for it wait, and say so."""
        from app.deskwork import pause

        asyncio.run(pause(with_servers(), backend, reason, officer))
        click.echo(f"{backend} is paused")

    return command


def _resume(with_servers: WithServers) -> click.Command:
    @click.command("resume")
    @click.argument("backend")
    @_REASON
    @_OFFICER
    def command(backend: str, reason: str, officer: str) -> None:
        """End the pause of BACKEND; what waited is sent at its own rate."""
        from app.deskwork import resume

        asyncio.run(resume(with_servers(), backend, reason, officer))
        click.echo(f"{backend} goes on")

    return command


def _parked(with_servers: WithServers) -> click.Command:
    @click.command("parked")
    def command() -> None:
        """List jobs that failed in a way nobody foresaw."""
        from app.deskwork import parked_jobs

        for job in asyncio.run(parked_jobs(with_servers())):
            click.echo(f"{job.id}  {job.queue}  since {job.parked_at:%Y-%m-%d %H:%M}  {job.error}")

    return command


def _requeue(with_servers: WithServers) -> click.Command:
    @click.command("requeue")
    @click.argument("job", type=int)
    @_REASON
    @_OFFICER
    def command(job: int, reason: str, officer: str) -> None:
        """Run the parked JOB once more."""
        from app.deskwork import queue_again

        asyncio.run(queue_again(with_servers(), job, reason, officer))
        click.echo(f"{job} is queued again")

    return command


def _strays(with_servers: WithServers) -> click.Command:
    @click.command("strays")
    @click.option("--backend", default="", help="Only what this system told.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
    def command(backend: str, limit: int) -> None:
        """List what agencies' systems told about nothing of ours, longest waiting first."""
        from app.callbacks.desk import Wanted
        from app.deskwork import strays

        for each in asyncio.run(strays(with_servers(), Wanted(limit, backend=backend))):
            told = f"{each.received_at:%Y-%m-%d %H:%M}, {each.times} times"
            click.echo(f"{each.id}  {each.backend} {each.about} {each.reference}  {told}: {each.said}")

    return command


def _dismiss(with_servers: WithServers) -> click.Command:
    @click.command("dismiss")
    @click.argument("callback")
    @_REASON
    @_OFFICER
    def command(callback: str, reason: str, officer: str) -> None:
        """Say that nothing will come of CALLBACK, one of `strays`."""
        from app.deskwork import dismiss

        done = asyncio.run(dismiss(with_servers(), callback, reason, officer))
        click.echo(f"{callback} is dismissed" if done else f"{callback} is not waiting")

    return command


def _line(item: "DeliveryItem") -> str:
    since = f"{item.since:%Y-%m-%d %H:%M}"
    return f"{item.id}  {item.case_number}  {item.backend} {item.operation}  {item.state} since {since}: {item.text}"
