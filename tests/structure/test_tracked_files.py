"""What must never be committed: addresses of package indexes, paths of one machine, secrets, minified scripts."""

import re
import subprocess

import pytest

from app.settings import ROOT
from tests.harness.source import nothing

pytestmark = pytest.mark.tree

# One letter of each stands in brackets, so that this file does not find itself.
FORBIDDEN = {
    "the address of a package index": r"pypi\.[o]rg|pythonhosted\.[o]rg|registry\.npmj[s]|--(extra-)?index-[u]rl",
    "a path of one machine": r"(?<![\w.}\-])/(wor[k]|roo[t])/|/tmp/[w]/|/home/[a-z]+/",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE [K]EY-----",
    "a signed token": r"eyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.",
    "a key of a cloud or code host": r"\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abp]-[0-9]{8,})\b",
}
MOST_BYTES = 1_000_000


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(("what", "pattern"), FORBIDDEN.items(), ids=FORBIDDEN)
def test_is_in_no_tracked_file(what: str, pattern: str) -> None:
    expression = re.compile(pattern)
    nothing(
        f"{what}: {name}:{number}"
        for name in tracked()
        for number, line in enumerate((ROOT / name).read_text("utf-8", "replace").splitlines(), 1)
        if expression.search(line)
    )


def test_nothing_minified_or_huge_is_tracked() -> None:
    assert not [
        name for name in tracked() if re.search(r"\.min\.(js|css)$", name) or (ROOT / name).stat().st_size > MOST_BYTES
    ]


def test_the_lock_file_that_names_the_index_is_not_tracked() -> None:
    assert "uv.lock" not in tracked()
