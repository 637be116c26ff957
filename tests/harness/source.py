"""The tree as text: its Python files, parsed, for tests that look at structure without importing anything."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import msgspec

from app.settings import ROOT

PRODUCT = ("app", "services", "integrations")
ALL_CODE = (*PRODUCT, "bench", "tests", "requirements")  # migrations are written once and only read by machines
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(msgspec.Struct, frozen=True, dict=True):
    """One Python file. `place` is its path below the root of the tree."""

    place: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.place)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


@lru_cache(maxsize=32)
def sources(*folders: str) -> Sequence[Source]:
    """Every Python file below the folders, in order."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [read(path) for path in paths]


def read(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


def calls_of(name: str, *folders: str) -> Iterator[ast.Call]:
    """Every call of `name`. Only files that have the word are parsed: tests ask while they are collected."""
    nodes = (node for source in sources(*folders) if f"{name}(" in source.text for node in ast.walk(source.tree))
    return (node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name)


def nothing(wrong: Iterable[str]) -> None:
    """Fails with every place on a line of its own."""
    places = list(wrong)
    assert not places, "\n".join(["", *places])


def modules(folder: str) -> list[str]:
    """Names of the folders below services/ or integrations/, whatever they hold; what integrations share is none."""
    return sorted(
        path.name
        for path in (ROOT / folder).iterdir()
        if path.is_dir() and path.name not in ("__pycache__", "standards")
    )
