"""Statements: what PostgreSQL has to know of them before it sees their values."""

import ast

import pytest

from tests.harness.source import PRODUCT, sources


@pytest.mark.tree
def test_a_partial_index_is_named_in_words() -> None:
    """Compared with a value, ON CONFLICT finds its index five times, and no more once the plan is for all values."""
    named = [
        (source.place, node.value)
        for source in sources(*PRODUCT)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.keyword) and node.arg == "index_where"
    ]
    assert named
    assert [path for path, value in named if any(isinstance(part, ast.Compare) for part in ast.walk(value))] == []
