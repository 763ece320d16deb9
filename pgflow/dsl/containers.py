"""How lists, tuples, sets and mappings are stored and read.

A JSON array is built into what the annotation names and nothing else passes for one: a str is no list of characters and
a dict no list of its keys.
"""

from __future__ import annotations

import json
from collections import abc
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from pgflow.dsl.hints import ARRAYS, OBJECTS, is_namedtuple, json_kinds, name_of
from pgflow.dsl.misfit import MisfitError, at, expected
from pgflow.dsl.scalars import Dump, Load
from pgflow.errors import DefinitionError

__all__ = ["array_codec", "is_array", "is_fixed_tuple", "is_object", "object_codec", "tuple_codec", "tuple_items"]


def is_array(hint: Any) -> bool:
    """Whether the hint is a list, set or the like, of items of one type."""
    return (get_origin(hint) or hint) in ARRAYS and not is_fixed_tuple(hint)


def is_object(hint: Any) -> bool:
    """Whether the hint is a mapping."""
    return (get_origin(hint) or hint) in OBJECTS


def is_fixed_tuple(hint: Any) -> bool:
    """Whether the hint is a tuple of which each item has its own type, or a NamedTuple."""
    if is_namedtuple(hint):
        return True
    return get_origin(hint) is tuple and get_args(hint)[1:] != (...,)


def tuple_items(hint: Any) -> list[Any]:
    """The hints of the items of such a tuple, in their order."""
    if not is_namedtuple(hint):
        return list(get_args(hint))
    hints = get_type_hints(hint, include_extras=True)
    return [hints.get(name, Any) for name in hint._fields]


def array_codec(hint: Any, load_item: Load, dump_item: Dump) -> tuple[Load, Dump]:
    """The functions of an array annotation, such as ``list[Page]`` or ``set[int]``.

    Sets are stored sorted, so that equal sets are equal JSON.
    """
    origin = get_origin(hint) or hint
    build = ARRAYS[origin]
    is_set = build in (set, frozenset)
    name = name_of(hint)

    def load(value: Any) -> Any:
        if type(value) is not list:
            raise expected(name, value)
        items = _each(load_item, value)
        if not is_set:
            return items if build is list else build(items)
        try:
            built = build(items)
        except TypeError as error:
            raise MisfitError(f"an item of {name} cannot be hashed: {error}") from error
        if len(built) != len(items):
            raise MisfitError(f"expected {name}, got a list in which an item occurs twice")
        return built

    def dump(value: Any) -> Any:
        if not isinstance(value, origin) or isinstance(value, str | bytes | bytearray | abc.Mapping):
            raise expected(name, value)
        items = _each(dump_item, value)
        return _sorted(items) if isinstance(value, set | frozenset) else items

    return load, dump


def tuple_codec(hint: Any, codecs: list[tuple[Load, Dump]]) -> tuple[Load, Dump]:
    """The functions of a tuple of fixed length, or of a NamedTuple, with those of each item."""
    name = name_of(hint)
    kind = get_origin(hint) or hint

    def convert(value: Any, side: int) -> list[Any]:
        if len(value) != len(codecs):
            raise MisfitError(f"expected {name} of {len(codecs)} items, got {len(value)}")
        result = []
        for index, (codec, item) in enumerate(zip(codecs, value, strict=True)):
            try:
                result.append(codec[side](item))
            except Exception as error:
                raise at(index, error)  # noqa: B904  the same error passes on, or has its cause
        return result

    def load(value: Any) -> Any:
        if type(value) is not list:
            raise expected(name, value)
        items = convert(value, 0)
        return tuple(items) if kind is tuple else kind(*items)

    def dump(value: Any) -> Any:
        if not isinstance(value, kind):
            raise expected(name, value)
        return convert(value, 1)

    return load, dump


def object_codec(hint: Any, keys: tuple[Load, Dump], values: tuple[Load, Dump]) -> tuple[Load, Dump]:
    """The functions of a mapping annotation, such as ``dict[UUID, Page]``; int keys are stored as their digits.

    :raises DefinitionError: if the keys are of a type that is not stored as text.
    """
    origin = get_origin(hint) or hint
    name = name_of(hint)
    (load_key, dump_key), (load_value, dump_value) = _key_codec(hint, keys), values

    def load(value: Any) -> Any:
        if type(value) is not dict:
            raise expected(name, value)
        return _pairs(value, load_key, load_value)

    def dump(value: Any) -> Any:
        if not isinstance(value, origin):
            raise expected(name, value)
        return _pairs(value, dump_key, dump_value)

    return load, dump


def _key_codec(hint: Any, codec: tuple[Load, Dump]) -> tuple[Load, Dump]:
    arguments = get_args(hint)
    kinds = json_kinds(arguments[0]) if arguments else None
    if kinds is None or kinds == {"str"}:
        return codec
    if kinds != {"int"}:
        raise DefinitionError(
            f"{name_of(hint)}: the keys of a JSON object are text, and {name_of(arguments[0])} is not stored as text"
        )
    load_int, dump_int = codec

    def load(key: str) -> Any:
        number = int(key) if key.lstrip("-").isdecimal() else None
        if str(number) != key:
            raise MisfitError(f"expected an int as key, got {key!r}")
        return load_int(number)

    def dump(key: Any) -> str:
        return str(int(dump_int(key)))

    return load, dump


def _each(convert: Load | Dump, items: Iterable[Any]) -> list[Any]:
    result: list[Any] = []
    add = result.append
    try:
        for item in items:
            add(convert(item))
    except Exception as error:
        raise at(len(result), error)  # noqa: B904  the same error passes on, or has its cause
    return result


def _pairs(items: Mapping[Any, Any], convert_key: Load, convert_value: Load) -> dict[Any, Any]:
    result = {}
    for key, value in items.items():
        try:
            result[convert_key(key)] = convert_value(value)
        except Exception as error:
            raise at(str(key), error)  # noqa: B904  the same error passes on, or has its cause
    return result


def _sorted(items: list[Any]) -> list[Any]:
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
