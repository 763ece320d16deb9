"""Each guarantee names tests that exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import DOCS, Page

PAGE = Page("concepts/guarantees.md")
TESTS = DOCS.parent / "tests"

ROWS = [line.strip("|").split("|") for line in PAGE.text.splitlines() if re.match(r"\| (?!it is )", line)]


def test_each_guarantee_has_its_limits_beside_it_and_a_test() -> None:
    assert len(ROWS) > 20
    for guarantee, _, shown in ROWS:
        assert re.fullmatch(r" `\S+\.py::\w+`(, `\S+\.py::\w+`)* ", shown), guarantee


@pytest.mark.parametrize("name", sorted({name for *_, shown in ROWS for name in re.findall(r"`(\S+)`", shown)}))
def test_that_test_exists(name: str) -> None:
    file, _, function = name.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert function.startswith("test_")
