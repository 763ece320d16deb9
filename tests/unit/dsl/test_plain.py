from __future__ import annotations

import json
from collections import OrderedDict, deque
from copy import deepcopy
from datetime import date
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgflow.dsl import MisfitError, to_json
from pgflow.dsl.plain import MAX_DEPTH
from pgflow.errors import NotJsonError

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(values)
def test_json_stays_what_it_is(value: Any) -> None:
    assert to_json(value) == value
    assert json.loads(json.dumps(to_json(value), allow_nan=False)) == value


@given(values)
def test_the_value_is_left_alone(value: Any) -> None:
    before = deepcopy(value)

    to_json(value)

    assert value == before


@pytest.mark.parametrize("value", [False, 0, "", [], {}, None, "123", 0.0, 10**400, -1, "日本", "\U0001f600"])
def test_small_values_keep_value_and_type(value: Any) -> None:
    result: Any = to_json(value)

    assert result == value
    assert type(result) is type(value)


def test_what_happens_to_a_value_later_does_not_reach_its_copy() -> None:
    inner = [1]
    stored = to_json({"inner": inner})

    inner.append(2)

    assert stored == {"inner": [1]}


class Color(StrEnum):
    RED = "red"


class Count(int):
    pass


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, (2,)), [1, [2]]),
        (OrderedDict(a=1), {"a": 1}),
        (Color.RED, "red"),
        (Count(3), 3),
        ({Color.RED: 1}, {"red": 1}),
    ],
)
def test_tuples_and_subclasses_become_plain(value: Any, plain: Any) -> None:
    result: Any = to_json(value)

    assert result == plain
    assert type(result) is type(plain)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), r"\$: nan is no JSON number"),
        ([0, float("-inf")], r"\$\[1\]: -inf is no JSON number"),
        ({"a": {"b-c": [b"x"]}}, r"\$\.a\['b-c'\]\[0\]: bytes is not JSON"),
        ({"tags": {1}}, r"\$\.tags: a set is not plain JSON; use a list"),
        ("a\0", r"\$: a NUL character"),
        ({"a\0": 1}, r"NUL character"),
        (["ok", "\ud83d"], r"\$\[1\]: the lone surrogate '\\ud83d' at character 0"),
        ({1: 2}, r"\$: a key of a JSON object is a str, got int 1"),
        ({"x": {None: 2}}, r"\$\.x: a key .* got NoneType"),
        ({"when": date(2026, 1, 1)}, r"\$\.when: date is not plain JSON; .* annotate"),
        (deque([1]), r"deque is not plain JSON"),
        ((n for n in [1]), r"generator is not plain JSON"),
        (object(), r"object is not plain JSON"),
    ],
)
def test_what_jsonb_cannot_hold_is_refused_by_its_path(value: Any, message: str) -> None:
    with pytest.raises(NotJsonError, match=message):
        to_json(value)


def test_an_int_that_python_could_not_read_again_is_refused() -> None:
    with pytest.raises(NotJsonError, match=r"\$\[0\]: an int of more than \d+ digits"):
        to_json([10**5000])


def test_a_list_in_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(NotJsonError, match="containing itself"):
        to_json(value)


def test_a_dict_in_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["self"] = [value]

    with pytest.raises(NotJsonError, match="containing itself"):
        to_json(value)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_nesting_has_a_limit() -> None:
    assert to_json(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(NotJsonError, match=f"more than {MAX_DEPTH} levels"):
        to_json(nested(MAX_DEPTH + 1))


def test_the_same_value_twice_is_no_cycle() -> None:
    shared = [1]

    assert to_json([shared, shared]) == [[1], [1]]


def test_a_misfit_has_path_and_reason() -> None:
    with pytest.raises(MisfitError) as caught:
        to_json({"a": [b""]})

    assert caught.value.path == "$.a[0]"
    assert caught.value.reason.startswith("bytes is not JSON")
    assert caught.value.depth == 2
