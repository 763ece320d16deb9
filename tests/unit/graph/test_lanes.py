"""The lanes that lead from step to step beside a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from pgflow.graph.lanes import lanes
from tests.unit.graph.graphs import DIAMOND, graph


@pytest.mark.parametrize(
    ("steps", "drawn"),
    [
        ({}, []),
        ({"a": []}, ["●"]),
        ({"a": [], "b": ["a"], "c": ["b"]}, ["●", "●", "●"]),
        (DIAMOND, ["●  ", "├─●", "● │", "●─╯"]),
        ({"a": [], "b": [], "c": ["a", "b"]}, ["●  ", "│ ●", "●─╯"]),
        ({"a": [], "b": ["a"], "c": ["a"], "d": ["a", "b", "c"]}, ["●    ", "├─●  ", "├─│─●", "●─┴─╯"]),
        ({"a": [], "b": [], "c": [], "d": ["a", "c"], "e": ["b"]}, ["●    ", "│ ●  ", "│ │ ●", "●─│─╯", "  ●  "]),
    ],
    ids=["nothing", "one", "chain", "diamond", "two roots", "all of them", "crossing"],
)
def test_each_step_is_led_to_from_its_dependencies(steps: Mapping[str, Sequence[str]], drawn: list[str]) -> None:
    assert lanes(graph(steps)) == drawn


def test_what_stands_below_a_leaf_does_not_look_like_its_dependent() -> None:
    assert lanes(graph({"a": [], "b": ["a"], "other": [], "its-own": ["other"]})) == ["●  ", "●  ", "  ●", "  ●"]


def test_a_wide_graph_takes_two_characters_a_branch() -> None:
    branches = [f"b{number}" for number in range(20)]
    drawn = lanes(graph({"a": [], **{branch: ["a"] for branch in branches}, "z": branches}))

    assert {len(line) for line in drawn} == {39}
    assert drawn[-1] == "●" + "─┴" * 18 + "─╯"
