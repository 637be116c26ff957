"""Can two samples be told apart? The area under the ROC curve, by ranks (Mann and Whitney), with its uncertainty."""

import random
import statistics
from collections.abc import Sequence

import msgspec

RESAMPLES = 300


class Apart(msgspec.Struct, frozen=True):
    """`auc` 0.5: not at all; `low` and `high`: 95 in 100 resamples lie between. `gap_ms`: of the medians."""

    auc: float
    low: float
    high: float
    gap_ms: float

    def is_within(self, auc: float, gap_ms: float) -> bool:
        return abs(self.auc - 0.5) <= auc and abs(self.gap_ms) < gap_ms


def auc(first: Sequence[float], second: Sequence[float]) -> float:
    """The chance that one of `second` is larger than one of `first`; ties count half."""
    tagged = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    rank_sum, at = 0.0, 0
    while at < len(tagged):
        end = at
        while end < len(tagged) and tagged[end][0] == tagged[at][0]:
            end += 1
        middle = (at + 1 + end) / 2
        rank_sum += middle * sum(tag for _, tag in tagged[at:end])
        at = end
    count = len(second)
    return (rank_sum - count * (count + 1) / 2) / (len(first) * count)


def apart(first_s: Sequence[float], second_s: Sequence[float], seed: int = 1) -> Apart:
    """Times in seconds, compared."""
    chance = random.Random(seed)
    drawn = sorted(
        auc(chance.choices(first_s, k=len(first_s)), chance.choices(second_s, k=len(second_s)))
        for _ in range(RESAMPLES)
    )
    gap_ms = (statistics.median(second_s) - statistics.median(first_s)) * 1000
    return Apart(auc(first_s, second_s), drawn[RESAMPLES // 40], drawn[-1 - RESAMPLES // 40], gap_ms)
