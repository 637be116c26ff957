"""What `make bench-scale` prints: met or missed, and missed where anything was refused."""

from bench.load import Outcome
from bench.measure import Sample
from bench.scale import ASKED, MOST_TIMES, table


def sample(cpu_ms: float, p50_ms: float, status: str = "200") -> Sample:
    return Sample(cpu_ms, Outcome(100, 50.0, p50_ms, p50_ms * 2, p50_ms * 3, {status: 100}))


def told(many: Sample) -> list[str]:
    """The verdict of each operation, with `many` beside one millisecond of CPU and ten of waiting."""
    few = [sample(1.0, 10.0)]
    shown = table({(each.key, side): few if side == "few" else [many] for each in ASKED for side in ("few", "many")})
    return [line.rsplit(": ", 1)[1] for line in shown.splitlines()[1:]]


def test_each_figure_within_its_multiple_is_met() -> None:
    assert told(sample(MOST_TIMES, 10.0 * MOST_TIMES)) == ["met"] * 4


def test_more_cpu_or_a_longer_wait_is_missed() -> None:
    assert told(sample(1.3, 10.0)) == ["MISSED"] * 4
    assert told(sample(1.0, 13.0)) == ["MISSED"] * 4


def test_what_was_refused_is_no_figure() -> None:
    assert told(sample(1.0, 10.0, "503")) == ["MISSED"] * 4
