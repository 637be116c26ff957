"""Measured figures, told at the end of a run: a bound with slack says little on a machine that others use too."""

from collections.abc import Callable

import pytest

Tell = Callable[[str], None]
NAME = "figure"


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """`tell("F14: back after 0.7 s")` stands in the summary, also from a test process of its own."""
    return lambda words: record_property(NAME, words)


class Figures:
    """A pytest plugin that shows what tests told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.told += [str(value) for name, value in report.user_properties if name == NAME]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.told:
            terminalreporter.section("figures measured")
        for words in self.told:
            terminalreporter.write_line(words)
