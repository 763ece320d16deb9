"""Values that somebody may send: what JSON can hold, and what it only nearly can."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

LONE_SURROGATE = "\ud83d"

#: What shows as nothing, turns the reading direction, looks like another letter, or ends a statement elsewhere.
ODD_TEXTS = [
    "'; drop table pgflow.runs; --",
    '"; select pg_sleep(1000); --',
    "$$; rollback; $$",
    "%(run_id)s %s %I %L {} \\",
    "\u202egnp.exe\u202c",
    "\u2066isolated\u2069",
    "zero\u200bwidth\u200d\u2060\ufeff",
    "\u0430dmin \u212aelvin \uff41 \u017f",
    "e\u0301 \u00e9",
    "\u2028\u2029\x85\x0b\x1b[31m\x7f\x01",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ufffe\uffff\U0010ffff",
    "\\u0000 \\ud800 \\x00",
    "null",
    "__proto__",
]

#: What other libraries take for more than a value.
TRICKS: list[Any] = [
    {"__json__": "x", "__class__": "os.system", "__reduce__": ["id"]},
    {"$ref": "#", "$oid": "x", "@type": "x"},
    {"py/object": "os.system", "!!python/object": "x"},
    {"run": {"deps": {"item": {"run": None}}}},
    {"flow_slug": "other", "run_id": "x", "step_slug": "y", "task_index": 10**30},
    {"": {"": [[], {}, ""]}},
    {"a": 1, "A": 2, "\u0430": 3, "a\u200b": 4, "e\u0301": 5, "\u00e9": 6},
]

NUMBERS: list[Any] = [
    2**53 + 1,
    -(2**63) - 1,
    10**400,
    -(10**4000) + 1,
    1.7976931348623157e308,
    5e-324,
    -0.1 - 0.2,
    0.1 + 0.2,
]

#: What no column of jsonb can hold unchanged.
UNFIT: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": [float("-inf")],
    "nul": {"a": ["\0"]},
    "nul in a key": {"\0": 1},
    "surrogate": [LONE_SURROGATE],
    "surrogate in a key": {LONE_SURROGATE: 1},
    "bool key": {True: 1},
    "None key": {None: 1},
    "number key": {1: 1, "1": 2},
    "tuple key": {(1, 2): 1},
    "5,000 digits": 10**5000,
    "bytes": b"x",
    "set": {1},
    "object": object(),
    "501 levels": None,
    "list in itself": [],
    "dict in itself": {},
}
UNFIT["list in itself"].append(UNFIT["list in itself"])
UNFIT["dict in itself"]["x"] = [UNFIT["dict in itself"]]


def nested(levels: int) -> Any:
    """Arrays and objects in turn, so many levels of them."""
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


UNFIT["501 levels"] = nested(501)

texts = st.sampled_from(ODD_TEXTS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(NUMBERS)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
#: What JSON can hold.
values: st.SearchStrategy[Any] = st.recursive(
    scalars | st.sampled_from(TRICKS),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=15,
)
#: What Python can write, JSON or not.
anything: st.SearchStrategy[Any] = st.recursive(
    scalars | st.floats() | st.text(max_size=10) | st.binary(max_size=5) | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.none() | st.booleans() | st.floats() | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
#: Slugs that are nearly one, and others that are far from it.
slugs = (
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,140}", fullmatch=True)
    | st.from_regex(r"[A-Za-z0-9_'\"; -]{0,60}\n?", fullmatch=True)
    | st.text(max_size=60)
    | texts
    | st.sampled_from(["run", "", "a" * 47, "a" * 48, "a" * 128, "a" * 129, "a--b", "pg_temp", "q_a", "a\0", "a\0b"])
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON, their types included: True is not 1, and 1.0 is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)
