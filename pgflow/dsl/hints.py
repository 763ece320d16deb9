"""Reading annotations: resolving, naming, unwrapping, and what JSON they stand for."""

from __future__ import annotations

import types
from collections import abc, deque
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)
from uuid import UUID

import attrs

from pgflow import models

__all__ = [
    "ARRAYS",
    "OBJECTS",
    "is_enum",
    "is_namedtuple",
    "is_plain",
    "is_struct",
    "is_union",
    "json_kind",
    "json_kinds",
    "name_of",
    "plain_names",
    "resolve",
    "type_arguments",
    "unwrap",
    "with_arguments",
]

ARRAYS: Mapping[Any, Any] = {
    list: list,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Collection: list,
    abc.Iterable: list,
    tuple: tuple,
    deque: deque,
    set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
    abc.Set: frozenset,
}
"""The annotations that stand for a JSON array, with what is built from one."""

OBJECTS = (dict, abc.Mapping, abc.MutableMapping)
"""The annotations that stand for a JSON object; all are built as dict."""

_KINDS: Mapping[Any, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    types.NoneType: "null",
    list: "array",
    tuple: "array",
    dict: "object",
}
_SCALAR_KINDS: Mapping[Any, frozenset[str]] = {
    **{kind: frozenset({name}) for kind, name in _KINDS.items()},
    **dict.fromkeys((datetime, date, time, UUID, Decimal), frozenset({"str"})),
    timedelta: frozenset({"int", "float"}),
}


def resolve(annotation: object, namespace: Mapping[str, Any]) -> Any:
    """Evaluate an annotation, which may be a string or hold strings, among the names of a module.

    :raises NameError: and whatever else evaluating the text raises.
    """
    if annotation == models.Json:
        return Any
    holder = types.SimpleNamespace(__annotations__={"hint": annotation})
    return get_type_hints(holder, dict(namespace), plain_names(namespace), include_extras=True)["hint"]


def plain_names(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The names under which a module knows `Json`: an alias of itself, which no hint can be, so it reads Any."""
    return {name: Any for name, value in namespace.items() if value is models.Json}


def name_of(hint: Any) -> str:
    """A hint as its author wrote it, more or less."""
    if isinstance(hint, type) and not get_args(hint):
        return "None" if hint is types.NoneType else hint.__qualname__.rpartition("<locals>.")[2]
    if is_union(hint):
        return " | ".join(name_of(member) for member in get_args(hint))
    arguments = get_args(hint)
    if arguments and get_origin(hint) is not Literal and isinstance(get_origin(hint), type):
        return f"{name_of(get_origin(hint))}[{', '.join('…' if a is ... else name_of(a) for a in arguments)}]"
    return str(getattr(hint, "__name__", hint) if isinstance(hint, NewType) else hint).replace("typing.", "")


def unwrap(hint: Any) -> Any:
    """What an alias, a NewType or an Annotated stands for."""
    while True:
        if isinstance(hint, NewType):
            hint = hint.__supertype__
        elif get_origin(hint) is Annotated:
            hint = hint.__origin__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def is_plain(hint: Any) -> bool:
    """Whether the hint says nothing: the value is plain JSON."""
    return unwrap(hint) in (Any, object)


def is_union(hint: Any) -> bool:
    """Whether the hint is a union, in either spelling."""
    return get_origin(hint) in (Union, types.UnionType)


def is_enum(hint: Any) -> bool:
    """Whether the hint is an enumeration."""
    return isinstance(hint, type) and issubclass(hint, Enum)


def is_struct(hint: Any) -> bool:
    """Whether the hint, generic or not, is a class with named fields: attrs, dataclass or TypedDict."""
    origin = get_origin(hint) or hint
    return isinstance(origin, type) and (attrs.has(origin) or is_dataclass(origin) or is_typeddict(origin))


def is_namedtuple(hint: Any) -> bool:
    """Whether the hint is a NamedTuple."""
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def json_kind(value: object) -> str:
    """Which of JSON's kinds a JSON value is; int and float are told apart."""
    return _KINDS.get(type(value), "other")


def json_kinds(hint: Any) -> frozenset[str] | None:
    """Which kinds of JSON the values of an annotation become; None if that cannot be told from the annotation."""
    hint = unwrap(hint)
    if is_plain(hint) or isinstance(hint, TypeVar | ForwardRef):
        return None
    if is_union(hint):
        members = [json_kinds(member) for member in get_args(hint)]
        return None if None in members else frozenset[str]().union(*filter(None, members))
    if get_origin(hint) is Literal:
        return frozenset(json_kind(v.value if isinstance(v, Enum) else v) for v in get_args(hint))
    if is_enum(hint):
        return frozenset(json_kind(member.value) for member in hint)
    if is_struct(hint):
        return frozenset({"object"})
    origin = get_origin(hint) or hint
    if origin in ARRAYS or is_namedtuple(hint):
        return frozenset({"array"})
    if origin in OBJECTS:
        return frozenset({"object"})
    return _SCALAR_KINDS.get(types.NoneType if hint is None else origin)


def type_arguments(hint: Any) -> dict[Any, Any]:
    """What the type variables of a generic class, and of the classes it derives from, stand for."""
    origin = get_origin(hint) or hint
    known = dict(zip(getattr(origin, "__parameters__", ()), get_args(hint), strict=False))
    for base in getattr(origin, "__orig_bases__", ()):
        if get_origin(base) is not None and hasattr(get_origin(base), "__parameters__"):
            known |= type_arguments(with_arguments(base, known))
    return known


def with_arguments(hint: Any, known: Mapping[Any, Any]) -> Any:
    """Put what the type variables stand for in their place; those that stand for nothing become Any."""
    if isinstance(hint, TypeVar):
        return known.get(hint, Any)
    free = getattr(hint, "__parameters__", ())
    if not free or isinstance(hint, type):
        return hint
    return hint[tuple(known.get(variable, Any) for variable in free)]
