from __future__ import annotations

from typing import Any

import pytest

from pgflow.dsl.slugs import check_flow_slug, check_step_slug, parameter_name
from pgflow.errors import InvalidSlugError


@pytest.mark.parametrize("slug", ["a", "_", "analyze-websites", "Step_2", "a--b", "x" * 128, "Run", "running"])
def test_a_step_may_be_called(slug: str) -> None:
    assert check_step_slug(slug) == slug


@pytest.mark.parametrize("slug", ["", "1a", "-a", "a b", "a.b", "a:b", "é", "a\n", "x" * 129, "run", None, 5])
def test_a_step_may_not_be_called(slug: Any) -> None:
    with pytest.raises(InvalidSlugError):
        check_step_slug(slug)


@pytest.mark.parametrize("slug", ["run", "deps", "item", "ctx"])
def test_what_handlers_ask_for_is_no_step(slug: str) -> None:
    with pytest.raises(InvalidSlugError, match=f"'{slug}' is reserved"):
        check_step_slug(slug)


@pytest.mark.parametrize("slug", ["x" * 47, "deps", "item", "analyze-websites"])
def test_a_flow_may_be_called(slug: str) -> None:
    assert check_flow_slug(slug) == slug


@pytest.mark.parametrize("slug", ["x" * 48, "a--b", "run", ""])
def test_a_flow_may_not_be_called(slug: str) -> None:
    with pytest.raises(InvalidSlugError):
        check_flow_slug(slug)


def test_dashes_become_underscores_in_parameters() -> None:
    assert parameter_name("analyze-site_2") == "analyze_site_2"
