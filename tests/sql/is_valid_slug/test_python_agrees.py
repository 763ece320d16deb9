"""The rules of slugs stand twice, so that a definition fails before it reaches a database: held together here."""

from __future__ import annotations

import pytest

from pgflow.dsl import Flow
from pgflow.errors import InvalidSlugError
from tests.plugins.engine import Engine

SLUGS = [
    *["a", "_", "A9", "analyze-websites", "a--b", "_-_", "x" * 47, "x" * 48, "x" * 128, "x" * 129, "Run", "run_"],
    *["", " ", "run", "1a", "-a", "a b", "a.b", "a:b", "a'b", 'a"b', "a\n", "\na"],
    *["\u00e9", "\u0430", "\uff41", "a\u200b", "a\u0301"],
]


def accepts_step(slug: str) -> bool:
    try:
        Flow("flow").step(slug)(lambda: None)
    except InvalidSlugError:
        return False
    return True


def accepts_flow(slug: str) -> bool:
    try:
        Flow(slug)
    except InvalidSlugError:
        return False
    return True


@pytest.mark.parametrize("slug", SLUGS)
def test_python_and_the_engine_take_the_same_slugs_for_steps(engine: Engine, slug: str) -> None:
    assert accepts_step(slug) == engine.value("select pgflow.is_valid_slug(%s)", slug)


@pytest.mark.parametrize("slug", SLUGS)
def test_python_and_the_engine_take_the_same_slugs_for_flows(engine: Engine, slug: str) -> None:
    is_slug = engine.value("select pgflow.is_valid_slug(%s)", slug)
    assert accepts_flow(slug) == (is_slug and len(slug) <= 47 and "--" not in slug)
