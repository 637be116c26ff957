"""A run as a table for people."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from tests.chaos.storm import Report

K = TypeVar("K", int, str)


def table(report: Report) -> str:
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    plan = report.plan
    yield f"seed {plan.seed}: {plan.cases} cases, {'everything' if plan.wild else 'kills'} for {report.storm_s:.0f} s"
    yield f"  requests {report.asked}, accepted {report.accepted}, answers {_told(report.statuses)}"
    yield f"  befell: {_told(report.misfortunes)}"
    yield f"  accepting again after a kill, longest (s): {_timed(report.back_s)}"
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


def _timed(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {seconds[name]:.1f}" for name in sorted(seconds))
