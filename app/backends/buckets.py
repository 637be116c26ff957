"""Times in buckets that grow by a quarter each: a percentile read from them is at most so much beside the true one."""

import math
from collections.abc import Mapping

# Three to an octave, from a millisecond on; the last holds all that took longer than a minute.
_TO_AN_OCTAVE = 3
LAST = 48


def bucket_of(seconds: float) -> int:
    """Which bucket a time falls into; 0 is everything up to a millisecond."""
    if seconds <= 0.001:
        return 0
    return min(math.ceil(_TO_AN_OCTAVE * math.log2(seconds * 1000)), LAST)


def upper_ms(bucket: int) -> float:
    """The longest time that falls into it."""
    return float(2.0 ** (bucket / _TO_AN_OCTAVE))


def percentile_ms(calls: Mapping[int, int], share: float) -> float | None:
    """The time that `share` of the calls stayed within, by bucket; None where there were none."""
    wanted = sum(calls.values()) * share
    passed = 0
    for bucket in sorted(calls):
        if calls[bucket] and passed + calls[bucket] >= wanted:
            lower = upper_ms(bucket - 1) if bucket else 0.0
            return lower + (upper_ms(bucket) - lower) * max(wanted - passed, 0.0) / calls[bucket]
        passed += calls[bucket]
    return None
