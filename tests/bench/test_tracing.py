"""What `make bench-tracing` measures is there to be measured, and its figures are told beside each other."""

import pytest

from bench.measure import Median
from bench.tracing import MEASURED, tell, tell_watching


def test_what_watches_a_request_costs_something() -> None:
    assert tell_watching("off", {}) > 0


def test_each_is_told_beside_those_with_traces_off(capsys: pytest.CaptureFixture[str]) -> None:
    costs = {"off": 0.1, "1 %": 0.104, "100 %": 0.15}
    found = {
        (operation.key, name): Median(cost, 1000, 1.0, 2.0, 3 if name == "1 %" else 0)
        for operation in MEASURED
        for name, cost in costs.items()
    }
    tell(found)
    told = capsys.readouterr().out.splitlines()[1:]
    assert len(told) == 3 * len(MEASURED)
    assert "x 1.04, +4 µs" in told[1]
    assert "3 REFUSED" in told[1]
    assert "x 1.50, +50 µs" in told[2]
