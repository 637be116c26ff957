"""What becomes of tests that do not end: told apart, named, and none of them holds up the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import ROOT

pytestmark = pytest.mark.tree

CONFTEST = """
from tests.harness.last_resort import LastResort
def pytest_configure(config):
    config.pluginmanager.register(LastResort(grace_s=1.5), "last-resort")
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


def test_a_test_that_does_not_end_costs_itself_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_ends.py").write_text(TESTS)
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-n", "1"]
    command = [sys.executable, "-m", "pytest", *options, "--dist=load", "-o", "timeout=0.5", str(tmp_path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 1, told.stdout + told.stderr
    assert "Timeout (>0.5s) from pytest-timeout" in told.stdout, "its own failure, with where it stood"
    assert "while running 'test_ends.py::test_deaf'" in told.stdout.replace(str(tmp_path) + "/", "")
    assert "test_ends.py\", line 10 in test_deaf" in told.stderr, "the stacks of a process that had to be ended"
    assert "in stuck" in told.stderr
    assert "1 passed" in told.stdout
