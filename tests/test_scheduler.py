"""A test process that dies costs one failure, named at once; every other test runs, and the run ends."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES, EACH = 8, 4
HOOKS = """
from tests.harness.scheduler import FailuresAtOnce, pytest_xdist_make_scheduler
def pytest_configure(config): config.pluginmanager.register(FailuresAtOnce(config))
"""
DIES = "import os, time\ndef test_dies():\n    time.sleep(0.3)\n    os._exit(1)\n"


def test_all_others_run_when_a_process_dies_and_the_run_ends(tmp_path: Path) -> None:
    quick = "".join(f"def test_{at}(): pass\n" for at in range(EACH))
    for at in range(FILES):
        (tmp_path / f"test_{at}.py").write_text((DIES if at == FILES // 2 else "") + quick)
    (tmp_path / "conftest.py").write_text(HOOKS)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    distribution = ("-n", "2", "--dist=loadfile", "--no-loadscope-reorder", "-p", "xdist", "-p", "no:cacheprovider")
    command = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", *distribution, str(tmp_path)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=80, check=False)
    assert f"1 failed, {FILES * EACH} passed" in ended.stdout, ended.stdout + ended.stderr
    assert ended.stdout.index("FAILED test_4.py::test_dies (") < ended.stdout.index("= FAILURES ="), ended.stdout
