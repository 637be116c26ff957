"""A test that is skipped or expected to fail without a reason listed in tests/allowed_skips.toml fails the run."""

import tomllib
from pathlib import Path

import msgspec
import pytest

LIST = Path(__file__).resolve().parent.parent / "allowed_skips.toml"


class AllowedSkip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`test` is the beginning of a test's id."""

    test: str
    reason: str


class SkipWatch:
    """A pytest plugin: collects skips from every test process and judges them at the end."""

    def __init__(self) -> None:
        listed = tomllib.loads(LIST.read_text("utf-8")).get("skip", [])
        self._allowed = tuple(entry.test for entry in msgspec.convert(listed, list[AllowedSkip]))
        self.unlisted: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not report.nodeid.startswith(self._allowed):
            self.unlisted.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unlisted and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test in self.unlisted:
            terminalreporter.write_line(f"SKIPPED without a reason in tests/allowed_skips.toml: {test}", red=True)
