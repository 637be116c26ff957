"""The register: every fault that must be shown has a file here, named after it, with a test that is not skipped."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# F15, F16, F20 and F21 (replicas, bit flips, backups) belong to operations, F37 and the attacks to what brings them.
DEMANDED = {f"F{number:02}" for number in (*range(1, 15), *range(17, 20), *range(22, 37))}
NAME = re.compile(r"test_f(\d\d)_[a-z0-9_]+\.py")
NEVER = {"skip", "skipif", "xfail", "importorskip"}


def files() -> dict[str, list[Path]]:
    """The files of each fault."""
    found: dict[str, list[Path]] = {}
    for path in sorted(HERE.glob("test_f[0-9]*.py")):
        match = NAME.fullmatch(path.name)
        assert match, f"{path.name}: test_f<two digits>_<what>.py"
        found.setdefault(f"F{match[1]}", []).append(path)
    return found


@pytest.mark.tree
def test_every_fault_has_a_file() -> None:
    missing = DEMANDED - set(files())
    assert not missing, f"no file for {sorted(missing)}"


@pytest.mark.tree
def test_each_file_has_a_test_that_runs() -> None:
    for path in (path for found in files().values() for path in found):
        tree = ast.parse(path.read_text("utf-8"))
        defined = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert [name for name in defined if name.startswith("test_")], f"{path.name}: no test in it"
        named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not named & NEVER, f"{path.name} leaves something out: {sorted(named & NEVER)}"
