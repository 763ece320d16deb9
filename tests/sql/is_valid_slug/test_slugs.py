from __future__ import annotations

import pytest

from tests.plugins.engine import Engine


@pytest.mark.parametrize("slug", ["a", "_", "A9", "analyze-websites", "snake_case", "Run", "run2", "a--b", "x" * 128])
def test_letters_digits_underscores_and_dashes_make_a_slug(engine: Engine, slug: str) -> None:
    assert engine.value("select pgflow.is_valid_slug(%s)", slug) is True


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "1a",
        "-a",
        "a b",
        "a.b",
        "a:b",
        'a"b',
        "a'b",
        "run",
        "a\n",
        "\na",
        "a\nb",
        " a",
        "a ",
        "é",
        "\u0430",  # Cyrillic a
        "\u212a",  # the Kelvin sign, which folds to k
        "a\u0661",  # an Arabic digit
        "a\u200b",
        "x" * 129,
    ],
)
def test_anything_else_is_no_slug(engine: Engine, slug: str) -> None:
    assert engine.value("select pgflow.is_valid_slug(%s)", slug) is False


def test_null_is_no_slug(engine: Engine) -> None:
    assert engine.value("select pgflow.is_valid_slug(null)") is False
