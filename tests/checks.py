"""`make check`: format, lint, types, imports, dependencies, structure; every tool runs, then the verdict."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = {
    "format (ruff format)": ["ruff", "format", "--check", "--quiet", "."],
    "lint (ruff)": ["ruff", "check", "--quiet", "."],
    "imports (import-linter)": ["lint-imports", "--no-cache"],
    "dependencies (deptry)": ["deptry", "."],
    "types (mypy --strict)": ["mypy", "--no-error-summary"],
    "structure, and nothing committed that must not be": [
        "python",
        "-m",
        "pytest",
        "-q",
        "-m",
        "tree",
        "tests/structure",
    ],
}


def main() -> int:
    failed = [name for name, command in CHECKS.items() if not holds(name, command)]
    print(
        f"\n{len(CHECKS) - len(failed)} checks hold, {len(failed)} do not" + "".join(f"\n  {name}" for name in failed)
    )
    return 1 if failed else 0


def holds(name: str, command: list[str]) -> bool:
    """Run one tool; its words are shown only where it finds something."""
    begun = time.monotonic()
    result = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"{'ok    ' if result.returncode == 0 else 'FAILED'} {time.monotonic() - begun:5.1f} s  {name}", flush=True)
    if result.returncode:
        print(result.stdout + result.stderr, flush=True)
    return result.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
