"""The table: what was measured beside the yardsticks, each goal met or missed, told either way."""

from collections.abc import Mapping, Sequence

import msgspec

from bench.measure import Median
from bench.operations import OPERATIONS, TARGETS, Operation

Medians = Mapping[tuple[str, str], Median]


class Figure(msgspec.Struct, frozen=True):
    """One figure that stands alone. `goal` 0: none is set."""

    title: str
    value: float
    unit: str
    goal: float = 0.0
    at_least: bool = False

    def line(self) -> str:
        shown = f"  {self.title:<58}{self.value:>9.1f} {self.unit}"
        if not self.goal:
            return shown
        met = self.value >= self.goal if self.at_least else self.value <= self.goal
        word = "at least" if self.at_least else "at most"
        return f"{shown:<80}{word} {self.goal:g} {self.unit}: {_told(met)}"


def table(found: Medians, figures: Sequence[Figure]) -> str:
    lines = [
        "CPU seconds of the server's process tree per 1,000 requests (PostgreSQL not counted); medians of all rounds.",
        "",
        f"{'operation':<44}{'floor':>8}{'fastapi':>9}{'product':>9}   {'of fastapi':<22}{'times floor':<20}",
    ]
    lines += [_cpu_line(operation, found) for operation in OPERATIONS]
    lines += ["", f"{'requests/s, p50 and p99 in ms':<44}{'floor':>22}{'fastapi':>22}{'product':>22}"]
    lines += [_speed_line(operation, found) for operation in OPERATIONS]
    lines += ["", "Figures that stand alone:", *(figure.line() for figure in figures)]
    refused = {key: median.refused for key, median in found.items() if median.refused}
    if refused:
        lines += ["", "Answers of 400 and above, which make a figure worthless:"]
        lines += [f"  {key} at {target}: {count}" for (key, target), count in refused.items()]
    return "\n".join(lines)


def _cpu_line(operation: Operation, found: Medians) -> str:
    costs = {target: median.cpu_ms for target in TARGETS if (median := _median_of(operation, target, found))}
    cells = "".join(
        f"{costs[target]:>{width}.3f}" if target in costs else " " * (width - 1) + "-" for target, width in _COLUMNS
    )
    share = _ratio(costs, "fastapi", operation.at_most_of_fastapi)
    times = _ratio(costs, "floor", operation.at_most_of_floor)
    return f"{operation.title:<44}{cells}   {share:<22}{times:<20}".rstrip()


def _median_of(operation: Operation, target: str, found: Medians) -> Median | None:
    key = operation.key if target == "product" or not operation.beside else operation.beside
    return found.get((key, target))


def _ratio(costs: Mapping[str, float], yardstick: str, goal: float | None) -> str:
    if "product" not in costs or yardstick not in costs:
        return "-"
    ratio = costs["product"] / costs[yardstick]
    if goal is None:
        return f"{ratio:.2f}"
    return f"{ratio:.2f} <= {goal:.2f} {_told(ratio <= goal)}"


def _speed_line(operation: Operation, found: Medians) -> str:
    cells = ""
    for target in TARGETS:
        median = found.get((operation.key, target))
        cells += f"{f'{median.per_s:,.0f}  {median.p50_ms:.1f}  {median.p99_ms:.1f}' if median else '-':>22}"
    return f"{operation.title:<44}{cells}"


def _told(met: bool) -> str:  # noqa: FBT001 - met or missed
    return "met" if met else "MISSED"


_COLUMNS = (("floor", 8), ("fastapi", 9), ("product", 9))
