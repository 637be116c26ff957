"""The end of a test process that no longer ends by itself, with the stacks of all its threads on stderr.

pytest-timeout fails a test whose time is up by an exception, which a task in between can swallow; and it guards no
teardown of a test that failed.
"""

import faulthandler
import os
from collections.abc import Generator

import pytest

_GRACE_S = 120.0


class LastResort:
    """A pytest plugin. `grace_s` after a test's own time is up, or after it failed, its process ends."""

    def __init__(self, grace_s: float = _GRACE_S) -> None:
        self._grace_s = grace_s
        self._stderr = -1

    def pytest_configure(self) -> None:
        # The real one: while a test runs, its output goes elsewhere.
        self._stderr = os.dup(2)

    @pytest.hookimpl(wrapper=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: object) -> Generator[None, object, object]:
        self._arm(float(getattr(settings, "timeout", 0.0)))
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector) -> None:
        # Others disarm theirs here, for whoever debugs; what follows is the teardown.
        if isinstance(node, pytest.Item):
            self._arm(0)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _arm(self, timeout_s: float) -> None:
        faulthandler.dump_traceback_later(timeout_s + self._grace_s, file=self._stderr, exit=True)
