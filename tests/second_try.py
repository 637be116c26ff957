"""In CI alone: a few tests that failed are run once more, by themselves, and named; a shared machine cuts some short.

Not for tests/chaos: what was lost or doubled once is lost. Not for more than a few: then something is broken.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MOST = 8
NEVER = "tests/chaos/"
_FAILED = Path(__file__).parent.parent / ".pytest_cache/v/cache/lastfailed"


def second_try(environment: Mapping[str, str]) -> int:
    """The exit code of a run of what failed in the last one; 1 where there is none to be had."""
    failed = sorted(json.loads(_FAILED.read_text("utf-8"))) if _FAILED.exists() else []
    if not is_due(failed, environment):
        return 1
    print("\nUnsteady, tried once more by themselves:", *failed, sep="\n  ", flush=True)
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *failed], env=environment, check=False).returncode


def is_due(failed: Sequence[str], environment: Mapping[str, str]) -> bool:
    asked = environment.get("LOKET_SECOND_TRY") == "1"
    return asked and 0 < len(failed) <= MOST and not any(name.startswith(NEVER) for name in failed)


if __name__ == "__main__":
    sys.exit(second_try(os.environ))
