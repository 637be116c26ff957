"""The commands `loket deliveries ...`: the operator's desk from the terminal. What they do is in app.deskwork."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from app.servers import settings_with_servers
from app.terminal import AS_JSON, officer, reason, tell

if TYPE_CHECKING:
    from app.callbacks.desk import StrayCallback
    from app.deliveries.backends import BackendView
    from app.deliveries.schemas import DeliveryItem, ParkedJob

_OFFICER, _REASON = officer(), reason()
_STATES = click.Choice(["queued", "delivering", "needs_operator", "delivered", "rejected"])


@click.group()
def deliveries() -> None:
    """What waits for an agency's system, why, and what is done about it. Every look and action is audited."""


@deliveries.command("list")
@click.option("--backend", help="Only those for this system.")
@click.option("--state", type=_STATES, help="Else all that wait: the first three.")
@click.option("--reason", help="Only those that wait for this reason, such as gave_up.")
@click.option("--case", help="Only those of the case with this number.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@AS_JSON
def list_waiting(*, limit: int, as_json: bool, **filters: Any) -> None:
    """List what waits, longest first."""
    from app import deskwork
    from app.deliveries.desk import Wanted

    tell(asyncio.run(deskwork.waiting(settings_with_servers(), Wanted(limit, **filters))), _line, as_json=as_json)


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
    """Try all deliveries of BACKEND that wait for an officer again, oldest first, at its own rate."""
    from app import deskwork

    done = asyncio.run(deskwork.retry_all(settings_with_servers(), backend, reason, officer))
    click.echo(f"{len(done.retried)} are tried again, {done.left} wait for an officer")
    for refused in done.refused:
        click.echo(f"{refused.id} left as it is: {refused.code}")


@deliveries.command("try-now")
@click.argument("backend")
@_REASON
@_OFFICER
def try_now(backend: str, reason: str, officer: str) -> None:
    """Have BACKEND asked at once: you know that it is back, and open breakers would find out later.

    One call of each operation finds out. Everything that waits follows if it is answered; else all is as before.
    """
    from app import deskwork

    asked = asyncio.run(deskwork.try_now(settings_with_servers(), backend, reason, officer))
    click.echo(f"{backend} is asked with the next call: " + (", ".join(asked) or "no breaker was open"))


@deliveries.command("breaker")
@click.argument("backend")
@click.argument("state", type=click.Choice(["open", "closed", "auto"]))
@click.option("--operation", default="", help="Only this one, as `backends` names it; else all of the system's.")
@_REASON
@_OFFICER
def breaker(backend: str, state: Any, operation: str, reason: str, officer: str) -> None:
    """Hold the breaker of BACKEND by hand: open sends nothing, closed all; auto lets it decide by itself again."""
    from app import deskwork

    asyncio.run(deskwork.hold_breaker(settings_with_servers(), (backend, (operation, state, reason)), officer))
    click.echo(f"{backend} {operation or 'all operations'}: {state}")


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
@AS_JSON
def backends(*, as_json: bool) -> None:
    """List the agencies' systems: what waits for each, pauses, open breakers, and those held by hand."""
    from app import deskwork

    tell(asyncio.run(deskwork.systems(settings_with_servers())), _system_line, as_json=as_json)


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
@AS_JSON
def parked(*, as_json: bool) -> None:
    """List jobs that failed in a way nobody foresaw."""
    from app import deskwork

    tell(asyncio.run(deskwork.parked_jobs(settings_with_servers())), _job_line, as_json=as_json)


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
@AS_JSON
def strays(*, backend: str, limit: int, as_json: bool) -> None:
    """List what agencies' systems told about nothing of ours, longest waiting first."""
    from app import deskwork
    from app.callbacks.desk import Wanted

    found = asyncio.run(deskwork.strays(settings_with_servers(), Wanted(limit, backend=backend)))
    tell(found, _stray_line, as_json=as_json)


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


def _system_line(each: "BackendView") -> str:
    shut = [breaker.operation for breaker in each.breakers if breaker.state != "closed"]
    told = ["paused"] * each.paused + [f"breaker open: {', '.join(shut)}"] * bool(shut)
    told += [f"held {held.state} by hand: {held.operation or 'all'} ({held.reason})" for held in each.held]
    waits = f"{each.queued} queued, {each.delivering} under way, {each.needs_operator} for an officer"
    return "  ".join([each.name, waits, *told])


def _job_line(job: "ParkedJob") -> str:
    return f"{job.id}  {job.queue}  since {job.parked_at:%Y-%m-%d %H:%M}  {job.error}"


def _stray_line(each: "StrayCallback") -> str:
    told = f"{each.received_at:%Y-%m-%d %H:%M}, {each.times} times"
    return f"{each.id}  {each.backend} {each.about} {each.reference}  {told}: {each.said}"
