"""Planting a fault: a copy of the tree with one thing wrong, and the tests that must notice."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import msgspec

from app.settings import ROOT

LIST = Path(__file__).with_name("faults.toml")
PATIENCE_S = 900
_FAILED = 1


class Planted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault: `find` in `file` becomes `replace`, and `test` (a file, or several) must fail."""

    name: str
    file: str
    find: str
    replace: str
    test: str
    quick: bool = False


class Caught(msgspec.Struct, frozen=True):
    caught: bool
    words: str


def faults() -> list[Planted]:
    return msgspec.convert(tomllib.loads(LIST.read_text("utf-8"))["fault"], list[Planted])


def planted(fault: Planted) -> str:
    """The file's text with the fault in it. Raises ValueError where it does not fit any more."""
    text = (ROOT / fault.file).read_text("utf-8")
    if text.count(fault.find) != 1:
        raise ValueError(f"{fault.name}: stands {text.count(fault.find)} times in {fault.file}")
    return text.replace(fault.find, fault.replace)


def plant(fault: Planted) -> Caught:
    """Run its tests on a copy with the fault. Tests that cannot even begin catch nothing."""
    folder = Path(tempfile.mkdtemp(prefix="loket-planted-"))
    try:
        tree = folder / "tree"
        copy_tree(tree)
        (tree / fault.file).write_text(planted(fault), "utf-8")
        compile(planted(fault), fault.file, "exec")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOKET_", "PYTEST"))}
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *fault.test.split()],
            cwd=tree,
            env={**kept, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = [line for line in ended.stdout.splitlines() if line.startswith("FAILED tests")]
    words = failed[0] if failed else (ended.stdout + ended.stderr)[-300:]
    return Caught(ended.returncode == _FAILED and bool(failed), words)


def copy_tree(to: Path) -> None:
    """What git knows of, as it stands now."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
