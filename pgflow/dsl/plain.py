"""Plain JSON: what a value without an annotation may be, and what every value is once it is stored.

jsonb holds less than Python's json module writes: no NaN, no infinity, no NUL character, no lone surrogate. All of it
is refused here, by its path, so that nothing is stored that would come back different.
"""

from __future__ import annotations

import sys
from math import isfinite

from pgflow.dsl.misfit import MisfitError
from pgflow.models import Json

__all__ = ["MAX_DEPTH", "to_json"]

MAX_DEPTH = 200
"""The deepest nesting: Python's json module and our converter surely read it again, on a stack that is deep already."""

_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep, or containing itself"
_MAX_SAFE_BITS = 2048


def to_json(value: object) -> Json:
    """Return a copy of ``value`` made of None, bool, int, float, str, list and dict alone.

    Tuples become lists and subclasses of these types become the types themselves; the value is not changed, and
    what the caller does to it afterwards does not reach the copy.

    :raises MisfitError: a `NotJsonError`, naming the path to what jsonb cannot hold.
    """
    try:
        return _copy(value, MAX_DEPTH)
    except RecursionError as error:
        raise MisfitError(_TOO_DEEP) from error


def _copy(value: object, levels: int) -> Json:
    if isinstance(value, str):
        return _text(value)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise MisfitError(f"{value} is no JSON number; use None or a string in its place")
        return float.__float__(value)
    if not isinstance(value, dict | list | tuple):
        raise MisfitError(_advice(value))
    if levels == 0:
        raise MisfitError(_TOO_DEEP)
    return _object(value, levels) if isinstance(value, dict) else _array(value, levels)


def _object(value: dict[object, object], levels: int) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise MisfitError(f"a key of a JSON object is a str, got {type(key).__name__} {key!r}; use str({key!r})")
        try:
            result[_text(key)] = _copy(item, levels - 1)
        except MisfitError as error:
            raise error.inside(key)  # noqa: B904  the same error passes on
    return result


def _array(value: list[object] | tuple[object, ...], levels: int) -> list[Json]:
    result: list[Json] = []
    for index, item in enumerate(value):
        try:
            result.append(_copy(item, levels - 1))
        except MisfitError as error:
            raise error.inside(index)  # noqa: B904  the same error passes on
    return result


def _text(value: str) -> str:
    if "\0" in value:
        raise MisfitError("a NUL character cannot be stored in jsonb; remove it")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise MisfitError(
                f"the lone surrogate {value[error.start]!a} at character {error.start} is no valid text"
            ) from error
    return value if type(value) is str else str.__str__(value)


def _integer(value: int) -> int:
    # Python refuses to write or read the decimal digits of larger ones, so they could be stored but not read.
    if value.bit_length() > _MAX_SAFE_BITS:
        digits = sys.get_int_max_str_digits()
        if digits and abs(value) >= 10**digits:
            raise MisfitError(f"an int of more than {digits} digits cannot be read again; use a string")
    return int.__int__(value)


def _advice(value: object) -> str:
    kind = type(value)
    if kind in (set, frozenset):
        return f"a {kind.__name__} is not plain JSON; use a list, or annotate it as {kind.__name__}[…]"
    if kind in (bytes, bytearray, memoryview):
        return f"{kind.__name__} is not JSON; decode it to a str, base64 for instance"
    return f"{kind.__name__} is not plain JSON; return plain values, or annotate with the type so that it is converted"
