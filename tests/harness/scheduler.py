"""How a run of all tests goes on: who runs which file, what a process that dies costs, and failures named at once.

The first is pytest-xdist's `loadfile`, mended: when a process dies, xdist 3.8 hands on everything it ever had. Files
done long ago never end a test again, and only a test's end makes it hand out more, so all wait for ever; and the test
that killed one process is run again and kills the next.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController


class FileByFile(LoadFileScheduling):  # type: ignore[misc]  # published without types
    def remove_node(self, node: WorkerController) -> str | None:
        """The test it died of, or None; what else it had left goes to the others."""
        files: dict[str, dict[str, bool]] = self.assigned_work.pop(node)
        died_of = next((test for tests in files.values() for test, done in tests.items() if not done), None)
        if died_of is None:
            return None
        files[self._split_scope(died_of)][died_of] = True
        self.workqueue.update({file: tests for file, tests in files.items() if not all(tests.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return died_of


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileByFile:
    return FileByFile(config, log)


class FailuresAtOnce:
    """Names what failed when it fails: a run that is stopped from outside never comes to its summary."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None and not hasattr(self.config, "workerinput"):
            terminal.ensure_newline()
            terminal.write_line(f"FAILED {report.nodeid} ({report.when}, {report.duration:.0f} s)")
