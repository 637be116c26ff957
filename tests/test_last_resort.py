"""A test that does not end fails by itself; what even that cannot end costs its process, and no other test."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

HOOKS = """
from tests.harness.last_resort import LastResort
def pytest_configure(config): config.pluginmanager.register(LastResort(grace_s=1.5))
"""
TESTS = """
import time
import pytest
def test_slow():
    time.sleep(60)
def test_deaf():
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            time.sleep(60)
        except BaseException:
            pass
@pytest.fixture
def stuck():
    yield
    time.sleep(60)
def test_failed(stuck):
    assert False
def test_well():
    pass
"""


def test_a_test_that_does_not_end_costs_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(HOOKS)
    settings = ("pythonpath = " + str(ROOT), "timeout = 0.5", "timeout_method = signal")
    (tmp_path / "pytest.ini").write_text("\n".join(("[pytest]", *settings)))
    plugins = ("-p", "xdist", "-p", "pytest_timeout", "-p", "no:cacheprovider")
    command = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-n", "1", *plugins, str(tmp_path)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=80, check=False)
    told = ended.stdout + ended.stderr
    assert "FAILED test_it.py::test_slow - Failed: Timeout (>0.5s)" in ended.stdout, told
    for test in ("test_deaf", "test_failed"):
        assert f"crashed while running 'test_it.py::{test}'" in ended.stdout, told
    assert "4 failed, 1 passed" in ended.stdout, told
    # Where each stood when its process was ended.
    assert "in test_deaf" in ended.stderr
    assert "in stuck" in ended.stderr
