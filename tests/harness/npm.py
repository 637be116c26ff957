"""npm packages for tests: pinned beside the test that needs them, fetched once, kept outside git."""

import shutil
import subprocess
from pathlib import Path

from app.settings import ROOT

_INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved")


def installed(name: str) -> Path:
    """A copy of tests/contract/<name> with its packages. Raises AssertionError with what npm says."""
    folder, place = ROOT / "tests" / "contract" / name, ROOT / ".clients" / name
    shutil.copytree(folder, place, dirs_exist_ok=True)
    pins = (folder / "package-lock.json").read_text("utf-8")
    stamp = place / "installed"
    if not stamp.is_file() or stamp.read_text("utf-8") != pins:
        run(place, *_INSTALL)
        stamp.write_text(pins, "utf-8")
    return place


def run(folder: Path, *command: str) -> str:
    """What it prints. Raises AssertionError with that where it fails."""
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout + told.stderr
