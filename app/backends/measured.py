"""What was measured of agencies' systems, as people read it: by operation for an hour and a day, uptime by day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from app.backends.buckets import percentile_ms
from app.backends.measuring import SLOT_S, UNANSWERED
from app.database import Connection

UPTIME_DAYS = 30
# Both spans end now and begin with the slot that holds their first moment: a slot is the least that is told apart.
_CALLS = f"""
SELECT backend, operation, outcome, bucket, sum(calls)::int AS day, max(last_at) AS last_at,
    coalesce(sum(calls) FILTER (WHERE slot > now() - interval '1 hour' - interval '{SLOT_S} s'), 0)::int AS hour
FROM backend_calls WHERE slot > now() - interval '1 day' - interval '{SLOT_S} s' AND backend = ANY($1)
GROUP BY backend, operation, outcome, bucket
"""  # noqa: S608 - constants of ours
# By the primary key, backwards to the first that worked: not by all of a week's rows.
_LAST_OK = """
SELECT operation, last.last_at FROM unnest($2::text[]) AS operation CROSS JOIN LATERAL (
    SELECT last_at FROM backend_calls WHERE backend = $1 AND backend_calls.operation = operation.operation
        AND outcome = 'ok' ORDER BY slot DESC LIMIT 1
) AS last
"""
# A slot in which most calls were not answered was down; one without calls says nothing.
_UP = """
SELECT (slot AT TIME ZONE $2)::date AS day, count(*) FILTER (WHERE unanswered <= answered)::int AS up,
    count(*)::int AS measured
FROM backend_slots WHERE backend = $1 AND slot > now() - make_interval(days => $3) GROUP BY day ORDER BY day
"""
_SHARES = """
SELECT backend, count(*) FILTER (WHERE unanswered <= answered)::float / count(*) AS share
FROM backend_slots WHERE backend = ANY($1) AND slot > now() - make_interval(days => $2) GROUP BY backend
"""
_LINE = """
SELECT slot, outcome, bucket, sum(calls)::int AS calls FROM backend_calls
WHERE backend = $1 AND slot > now() - interval '1 day' GROUP BY slot, outcome, bucket
"""


class Span(msgspec.Struct):
    """Calls of one span of time. Times are of calls that came to an answer; null where there were none. `failed`: it
    answered with a failure of its own; `unavailable`: it surely did nothing; `unknown`: it may have; `not_asked`: our
    own breaker, rate or crowd kept the call back."""

    calls: int = 0
    failed: int = 0
    unavailable: int = 0
    unknown: int = 0
    not_asked: int = 0
    median_ms: int | None = None
    p95_ms: int | None = None

    @property
    def failures(self) -> int:
        return self.failed + self.unavailable + self.unknown


class Measured(msgspec.Struct):
    """One operation, or all of a backend's together. `last_ok_at`: within the day."""

    hour: Span
    day: Span
    last_ok_at: datetime | None


class DayUp(msgspec.Struct):
    """One day of a backend: in how many of its five-minute slots with calls it answered. `share` of 1."""

    day: date
    share: float
    measured: int


class Point(msgspec.Struct):
    """Five minutes of a backend."""

    at: datetime
    calls: int
    failures: int
    median_ms: int | None


async def read_calls(connection: Connection, backends: Sequence[str]) -> Mapping[str, Mapping[str, Measured]]:
    """By backend and operation; "" for all operations together."""
    gathered: dict[tuple[str, str], _Gathered] = defaultdict(_Gathered)
    for row in await connection.fetch(_CALLS, list(backends)):
        for operation in (row["operation"], ""):
            gathered[row["backend"], operation].add(row)
    found: dict[str, dict[str, Measured]] = defaultdict(dict)
    for (backend, operation), each in gathered.items():
        found[backend][operation] = Measured(each.hour.span(), each.day.span(), each.last_ok_at)
    return found


async def read_last_ok(connection: Connection, backend: str, operations: Sequence[str]) -> Mapping[str, datetime]:
    """When each operation last worked, as far back as calls are kept."""
    rows = await connection.fetch(_LAST_OK, backend, list(operations))
    return {row["operation"]: row["last_at"] for row in rows}


async def read_uptime(connection: Connection, backends: Sequence[str]) -> Mapping[str, float]:
    """Of the last 30 days' slots with calls, the share in which most were answered, by backend; of one that was never
    called there is none."""
    rows = await connection.fetch(_SHARES, list(backends), UPTIME_DAYS)
    return {row["backend"]: round(row["share"], 5) for row in rows}


async def read_days(connection: Connection, backend: str, zone: str) -> list[DayUp]:
    """The same day by day, oldest first; days are the city's."""
    rows = await connection.fetch(_UP, backend, zone, UPTIME_DAYS)
    return [DayUp(row["day"], round(row["up"] / row["measured"], 4), row["measured"]) for row in rows]


async def read_line(connection: Connection, backend: str, now: datetime) -> list[Point]:
    """The last day in five minutes each, without gaps, oldest first."""
    gathered: dict[datetime, _Counted] = defaultdict(_Counted)
    for row in await connection.fetch(_LINE, backend):
        gathered[row["slot"]].add(row["outcome"], row["bucket"], row["calls"])
    newest = datetime.fromtimestamp(int(now.timestamp()) // SLOT_S * SLOT_S, now.tzinfo)
    places = [newest - timedelta(seconds=SLOT_S * back) for back in reversed(range(24 * 3600 // SLOT_S))]
    spans = [(at, gathered[at].span() if at in gathered else Span()) for at in places]
    return [Point(at, span.calls, span.failures, span.median_ms) for at, span in spans]


class _Counted:
    """Calls by outcome, and the answered ones' times."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = defaultdict(int)
        self.times: dict[int, int] = defaultdict(int)

    def add(self, outcome: str, bucket: int, calls: int) -> None:
        self.outcomes[outcome] += calls
        if outcome in ("ok", "failed"):
            self.times[bucket] += calls

    def span(self) -> Span:
        median, p95 = (percentile_ms(self.times, share) for share in (0.5, 0.95))
        return Span(
            calls=sum(self.outcomes[each] for each in ("ok", *UNANSWERED)),
            not_asked=self.outcomes["not_asked"],
            median_ms=None if median is None else round(median),
            p95_ms=None if p95 is None else round(p95),
            **{each: self.outcomes[each] for each in UNANSWERED},
        )


class _Gathered:
    def __init__(self) -> None:
        self.hour, self.day = _Counted(), _Counted()
        self.last_ok_at: datetime | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        self.hour.add(row["outcome"], row["bucket"], row["hour"])
        self.day.add(row["outcome"], row["bucket"], row["day"])
        if row["outcome"] == "ok":
            self.last_ok_at = max(self.last_ok_at or row["last_at"], row["last_at"])
