"""Migrations: an index on a table that is in use is built beside its writers, and can be built again where a build was
broken off."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from app.settings import ROOT

# Those before stay as they landed; 0019 and 0025 locked their tables.
FIRST = "0030"
FOLDER = ROOT / "migrations" / "versions"
_AROUND = "with op.get_context().autocommit_block():"


def newer() -> Sequence[Path]:
    return sorted(path for path in FOLDER.glob("[0-9]*.py") if path.name >= FIRST)


def wrong_in(source: str) -> list[str]:
    """What is wrong with a migration's indexes, in words."""
    tree = ast.parse(source)
    made = {_text(call.args[0]) for call in _calls(tree, "create_table")}
    beside = {id(node) for block in _blocks(tree) for node in ast.walk(block)}
    dropped = {_text(call.args[0]) for call in _calls(tree, "drop_index") if _says(call, "if_exists")}
    found = []
    for call in _calls(tree, "create_index"):
        name, table = _text(call.args[0]), _text(call.args[1])
        if table in made:
            continue
        if id(call) not in beside or not _says(call, "postgresql_concurrently"):
            found.append(f"{name} locks {table}: postgresql_concurrently=True, {_AROUND}")
        if name not in dropped:
            found.append(
                f"{name} stays broken after a build that was broken off: op.drop_index(..., if_exists=True) first"
            )
    for call in _calls(tree, "execute"):
        words = (_text(call.args[0]) or "").upper().split()
        if "INDEX" in words[:3] and words[0] in ("CREATE", "REINDEX") and "CONCURRENTLY" not in words:
            found.append("an index by hand, without CONCURRENTLY")
    return found


@pytest.mark.tree
def test_no_index_locks_a_table_in_use() -> None:
    assert newer()
    assert {path.name: wrong for path in newer() if (wrong := wrong_in(path.read_text()))} == {}


GOOD = """
with op.get_context().autocommit_block():
    op.drop_index("ix_a", table_name="cases", if_exists=True, postgresql_concurrently=True)
    op.create_index("ix_a", "cases", ["a"], postgresql_concurrently=True)
op.create_table("mine", sa.Column("a"))
op.create_index("ix_mine", "mine", ["a"])
"""


@pytest.mark.parametrize(
    ("replaced", "by", "told"),
    [
        ("", "", ""),
        ('["a"], postgresql_concurrently=True', '["a"]', "ix_a locks cases"),
        ("with op.get_context().autocommit_block()", "if True", "ix_a locks cases"),
        ("if_exists=True, ", "", "ix_a stays broken"),
        ('op.create_table("mine", sa.Column("a"))', "", "ix_mine locks mine"),
        ('"ix_mine", "mine"', "name, table", "None locks None"),
        ("with ", 'op.execute("CREATE UNIQUE INDEX ix ON cases (a)")\nwith ', "by hand"),
    ],
)
def test_what_is_wrong_is_told(replaced: str, by: str, told: str) -> None:
    wrong = wrong_in(GOOD.replace(replaced, by))
    assert bool(wrong) == bool(told)
    assert told in " ".join(wrong)


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
            yield node


def _blocks(tree: ast.AST) -> Iterator[ast.With]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With) and "autocommit_block" in ast.unparse(node.items[0]):
            yield node


def _says(call: ast.Call, name: str) -> bool:
    return any(each.arg == name and ast.unparse(each.value) == "True" for each in call.keywords)


def _text(node: ast.expr) -> str | None:
    """A name in words, as it stands or through op.f; None for one that is worked out."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "f":
        node = node.args[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
