"""Names and docstrings: one meaning a word, no drawers for odds and ends, every file says what it holds."""

import re

import pytest

from app.settings import ROOT
from tests.harness.source import ALL_CODE, PRODUCT, nothing, sources

pytestmark = pytest.mark.tree

# Words that name no thing: whatever does not fit elsewhere ends up under them.
DRAWERS = {
    "core",
    "common",
    "shared",
    "util",
    "utils",
    "helper",
    "helpers",
    "lib",
    "base",
    "manager",
    "managers",
    "misc",
}
DOCSTRING_LINES = 4
ESCAPE = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?P<rest>.*)")


def test_nothing_is_named_after_a_drawer() -> None:
    nothing(
        source.place
        for source in sources(*ALL_CODE)
        if DRAWERS & {part.removesuffix(".py") for part in source.place.split("/")}
    )


def test_every_product_file_says_what_it_holds() -> None:
    """One to three lines, and perhaps the line between title and rest."""
    wrong = []
    for source in sources(*PRODUCT):
        if not source.text.strip():
            continue
        first = source.tree.body[0]
        docstring = getattr(getattr(first, "value", None), "value", None)
        if not isinstance(docstring, str) or len(docstring.strip().splitlines()) > DOCSTRING_LINES:
            wrong.append(source.place)
    nothing(wrong)


def test_every_silenced_rule_has_its_reason() -> None:
    """`# noqa: X` and `# type: ignore[x]` say why, after a dash or a second #."""
    nothing(
        f"{source.place}:{number}"
        for source in sources(*ALL_CODE)
        for number, line in enumerate(source.text.splitlines(), 1)
        if (escape := ESCAPE.search(line)) and not re.search(r"(-|#)\s*\w", escape["rest"]) and "ESCAPE" not in line
    )


def test_there_are_no_relics() -> None:
    """Work left for later lives in the issues, not in the tree."""
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    assert not [source.place for source in sources(*ALL_CODE) if words.search(source.text)]


def test_only_packages_that_are_used_stand_in_app() -> None:
    """Everything in app is there for at least one other part of the product."""
    everything = "\n".join(source.text for source in sources(*PRODUCT))
    entries = {"main", "worker", "cli", "__init__"}
    packages = [
        path.stem
        for path in sorted((ROOT / "app").iterdir())
        if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    assert not [name for name in packages if name not in entries and f"app.{name}" not in everything]
