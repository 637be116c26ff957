"""Rounds of measurement in turn, and the medians they leave."""

import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec

from bench.load import Outcome, Plan, generate
from bench.processes import cpu_s

REFUSED_STATUS = 400


class Server(msgspec.Struct, frozen=True):
    """A target's process and port."""

    pid: int
    port: int


class Sample(msgspec.Struct, frozen=True):
    """One run. `cpu_ms` is the process tree's milliseconds per request, which are seconds per 1,000."""

    cpu_ms: float
    outcome: Outcome

    @property
    def refused(self) -> int:
        return sum(count for status, count in self.outcome.statuses.items() if int(status) >= REFUSED_STATUS)


class Median(msgspec.Struct, frozen=True):
    """Medians over the rounds."""

    cpu_ms: float
    per_s: float
    p50_ms: float
    p99_ms: float
    refused: int


def run(server: Server, plan: Plan) -> Sample:
    """One plan against one server. The CPU of the warm-up counts, as its requests do."""
    before = cpu_s(server.pid)
    outcome = generate(plan)
    return Sample((cpu_s(server.pid) - before) * 1000 / max(outcome.sent, 1), outcome)


def medians(samples: Mapping[tuple[str, str], Sequence[Sample]]) -> dict[tuple[str, str], Median]:
    return {key: _median(found) for key, found in samples.items()}


def _median(samples: Sequence[Sample]) -> Median:
    def of(take: Callable[[Sample], float]) -> float:
        return statistics.median(take(sample) for sample in samples)

    return Median(
        cpu_ms=of(lambda sample: sample.cpu_ms),
        per_s=of(lambda sample: sample.outcome.per_s),
        p50_ms=of(lambda sample: sample.outcome.p50_ms),
        p99_ms=of(lambda sample: sample.outcome.p99_ms),
        refused=sum(sample.refused for sample in samples),
    )
