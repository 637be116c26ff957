"""What documents tell people to type is there: commands of `loket`, targets of make, other documents."""

import re
from collections.abc import Iterator

import click
import pytest

from app.cli import loket
from app.settings import ROOT
from tests.harness.source import nothing

pytestmark = pytest.mark.tree

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
_CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)
_COMMAND = re.compile(r"(?:^|`|bin/)loket ((?:[^`\n\\]|\\\n)+)", re.MULTILINE)
_TARGET = re.compile(r"(?:^|[ `(])make ((?:[a-z-]+ ?)+)")
_LINK = re.compile(r"\]\(([^)#:]+?\.md)\)")


def typed() -> Iterator[tuple[str, str]]:
    """(document, what follows `loket`), of every piece of code."""
    for path in DOCUMENTS:
        for code in _CODE.findall(path.read_text("utf-8")):
            for asked in _COMMAND.findall(code):
                yield path.name, asked.partition(" #")[0].replace("\\\n", " ")


def missing(asked: str) -> str:
    """What of a command line is not there; "" where all is."""
    command: click.Command = loket
    words = asked.split()
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        if name not in command.commands:
            return name
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((word for word in words if word.startswith("--") and word.partition("=")[0] not in known), "")


def test_commands_and_their_options_are_there() -> None:
    told = list(typed())
    assert len(told) > 30
    nothing(f"{place}: loket {asked}: no {lacks}" for place, asked in told if (lacks := missing(asked)))


def test_targets_of_make_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = {*re.findall(r"^([a-z-]+):", makefile, re.MULTILINE), "install-runtime"}
    told = [
        (path.name, target)
        for path in DOCUMENTS
        for code in _CODE.findall(path.read_text("utf-8"))
        for named in _TARGET.findall(code)
        for target in named.split()
    ]
    assert told
    nothing(f"{place}: make {target}" for place, target in told if target not in targets)


def test_links_between_documents_lead_somewhere() -> None:
    nothing(
        f"{path.name}: {link}"
        for path in DOCUMENTS
        for link in _LINK.findall(path.read_text("utf-8"))
        if not (path.parent / link).exists()
    )


def test_each_decision_has_a_number_of_its_own() -> None:
    """Two that were taken side by side must not both be called by one number; each document that names one means it."""
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(path.name[:4]) for path in files]
    assert len(numbers) == len(set(numbers)), [path.name for path in files if numbers.count(int(path.name[:4])) > 1]
    nothing(
        path.name
        for path, number in zip(files, numbers, strict=True)
        if not path.read_text().startswith(f"# {number}. ")
    )
    said = {int(number) for path in DOCUMENTS for number in re.findall(r"ADRs? (\d+)", path.read_text("utf-8"))}
    assert said <= set(numbers), said - set(numbers)
