"""Makes .venv from hashed pins with nothing but Python and pip, shows how far it is, and compiles once in parallel.

Called by the Makefile: `python requirements/install.py runtime` (or test, or bench). Quick where nothing changed.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Big, and not imported by what `make run` starts: Python compiles what it needs of them when it needs it.
RARE = "/(faker|fontTools|pip|pygments|setuptools|tests?|testing)/"
LAUNCHER = """#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -P -m app.cli "$@"
"""


def main(level: str) -> None:
    pins = ROOT / "requirements" / f"{level}.txt"
    stamp = VENV / f"installed-{level}"
    wanted = (
        f"{hashlib.sha256(pins.read_bytes()).hexdigest()} {ROOT} {sys.version_info.major}.{sys.version_info.minor}\n"
    )
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    started = time.monotonic()
    make_venv()
    install(pins)
    say("Compiling Python files ...")
    run(str(PYTHON), "-m", "compileall", "-q", "-j", "0", "-x", RARE, str(VENV / "lib"), may_fail=True)
    link_tree()
    stamp.write_text(wanted)
    say(f"Packages are ready after {time.monotonic() - started:.0f} s.")


def make_venv() -> None:
    """A virtual environment with pip; one from another place or another Python is made anew."""
    home = VENV / "home"
    here = f"{ROOT} {sys.version}"
    if home.is_file() and home.read_text() == here:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    say(f"Making .venv with Python {sys.version.split()[0]} ...")
    run(sys.executable, "-m", "venv", str(VENV))
    home.write_text(here)


def install(pins: Path) -> None:
    """pip on the pins. They are complete, so it looks for no more (--no-deps); compiling comes after, in parallel."""
    names = [line for line in pins.read_text().splitlines() if line[:1].isalnum()]
    say(f"Installing {len(names)} packages from requirements/{pins.name} ...")
    command = [str(PYTHON), "-m", "pip", "install", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    command += ["--no-input", "--progress-bar", "off", "--require-hashes", "-r", str(pins)]
    kept: list[str] = []
    done = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            kept.append(line)
            if line.startswith(("Collecting ", "Processing ", "Ignoring ", "Requirement already satisfied")):
                done += 1
                if done % 20 == 0:
                    say(f"  {done} of {len(names)} fetched ...")
            if line.startswith("Installing collected packages"):
                say("  unpacking ...")
    if pip.returncode:
        sys.exit("".join(kept[-15:]) + "\nThe packages could not be installed; pip's last lines are above.")


def link_tree() -> None:
    """Have .venv's Python find this tree, and `.venv/bin/loket` work from any folder."""
    [site] = (VENV / "lib").glob("python*/site-packages")
    (site / "satu_loket.pth").write_text(f"{ROOT}\n")
    launcher = VENV / "bin" / "loket"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)


def run(*command: str, may_fail: bool = False) -> None:
    result = subprocess.run(command, check=False)
    if result.returncode and not may_fail:
        sys.exit(
            f"{' '.join(command)} failed. On Debian and Ubuntu `apt install python3-venv` brings what may be missing."
        )


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 -- it speaks to the person who typed `make`


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1])
