from __future__ import annotations

import json
from typing import Any

import pytest

from pgflow.engine.rows import clean_text, dump_json
from pgflow.errors import NotJsonError


@pytest.mark.parametrize("value", [False, 0, "", [], {}, None, "123", "\\u0000", {"\\": ["é", "😀"]}, 10**30, 1.5])
def test_json_is_written_so_that_it_reads_the_same(value: Any) -> None:
    assert json.loads(dump_json(value)) == value


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1, 2}, b"bytes", "\0", {"a": ["b\0"]}, {"\0": 1}, "\ud800", object()],
    ids=["nan", "infinity", "set", "bytes", "nul", "nested-nul", "nul-key", "surrogate", "object"],
)
def test_what_jsonb_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(NotJsonError):
        dump_json(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)

    with pytest.raises(NotJsonError):
        dump_json(cycle)


def test_a_value_nested_too_deeply_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(NotJsonError, match="nested too deeply"):
        dump_json(deep)


def test_a_message_loses_only_what_text_cannot_hold() -> None:
    assert clean_text("before\0after \ud800 é") == "before\N{REPLACEMENT CHARACTER}after \\ud800 é"
