"""What a run left behind, of which the invariants are asked."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from app.audit.port import Head
from app.sandbox.port import Effect
from tests.chaos.history import History
from tests.harness.canaries import Canary


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves: `ledger` of the agency; `otherwise`: statuses that keys got which were used for another body;
    `outputs`: what the product said and kept outside of its declared stores, and `canaries` that must not be there."""

    history: History
    ledger: Sequence[Effect]
    otherwise: Sequence[int] = ()
    outputs: Mapping[str, bytes] = {}
    canaries: Sequence[Canary] = ()


class Evidence(Found, frozen=True, kw_only=True):
    """The same beside what stands in the database: `cases` by number, with their submission's delivery; `anchors`: what
    the audit's chain must agree with."""

    connection: "asyncpg.Connection[Any]"
    cases: Mapping[str, Mapping[str, Any]]
    anchors: Sequence[Head] = ()

    @property
    def effects(self) -> Counter[str]:
        """How often each case was registered at the agency."""
        return Counter(effect.reference for effect in self.ledger if effect.operation == "register")


Answer = tuple[int, Sequence[str]]
Check = Callable[[Evidence], Awaitable[Answer]]


async def all_cases(connection: "asyncpg.Connection[Any]") -> Mapping[str, Mapping[str, Any]]:
    return {row["number"]: dict(row) for row in await connection.fetch(_CASES)}


def read_ledger(path: Path) -> Iterator[Effect]:
    """What happened at the agency, as its own disk has it."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        yield msgspec.json.decode(line, type=Effect)


_CASES = """
SELECT cases.id, number, status, cases.delivery_state, agency_reference, last_event, deliveries.state,
    deliveries.reason, next_try_at, lease_until, EXISTS (
        SELECT 1 FROM pgqueuer WHERE dedupe_key = deliveries.id::text AND pgqueuer.status IN ('queued', 'picked')
    ) AS job
FROM cases LEFT JOIN deliveries ON deliveries.case_id = cases.id AND operation = 'submit'
"""
