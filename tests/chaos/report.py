"""A run as a table for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from tests.chaos.outages import Outage, by_last_blow
from tests.chaos.storm import Report

K = TypeVar("K", int, str)


def table(report: Report) -> str:
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    plan = report.plan
    yield f"seed {plan.seed}: {plan.cases} cases, {'everything' if plan.wild else 'kills'} for {report.storm_s:.0f} s"
    yield f"  requests {report.asked}, accepted {report.accepted}, answers {_told(report.statuses)}"
    yield f"  befell: {_told(report.misfortunes)}"
    yield from _returns(report.outages)
    yield f"  deliveries: {_told(report.deliveries)}"
    drained = "NEVER" if report.drained_s is None else f"{report.drained_s:.1f} s after the healing"
    yield f"  I17  holds   Nothing is open {drained}" if report.drained_s is not None else f"  I17  BROKEN  {drained}"
    yield from (f"             {left}" for left in report.left)
    for verdict in report.verdicts:
        holds = "BROKEN" if verdict.broken else "holds "
        yield f"  {verdict.name:<4} {holds}  {verdict.looked_at:>7}  {verdict.says}"
        yield from (f"                        {broken}" for broken in verdict.broken)
    yield "every invariant holds" if report.holds else "BROKEN"


def _told(counted: Mapping[K, int]) -> str:
    return ", ".join(f"{name} {counted[name]}" for name in sorted(counted))


def _returns(found: Sequence[Outage]) -> Iterator[str]:
    """A blow before the return begins the way back anew: so from the last one, and apart from it what such blows in a
    row came to."""
    told = by_last_blow(found)
    each = (f"{what} {told[what].median_s:.1f}, at most {told[what].longest_s:.1f}" for what in sorted(told))
    yield f"  accepting again after the last blow, half the time and at most (s): {'; '.join(each)}"
    prolonged = [outage for outage in found if len(outage.blows) > 1]
    if prolonged:
        longest = max(prolonged, key=lambda outage: outage.whole_s)
        blows = " + ".join(f"{what} at {at - longest.blows[0][0]:.1f}" for at, what in longest.blows)
        count = f"{len(prolonged)} of {len(found)} outages"
        yield f"  made longer by further blows: {count}; the longest {longest.whole_s:.1f} s from its first"
        yield f"    ({blows}; back {longest.after_last_s:.1f} s after the last)"
