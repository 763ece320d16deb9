"""How unions are stored and read: by what JSON tells apart, never by trying until something sticks.

Two members that JSON cannot tell apart, such as ``datetime | str``, are refused when the flow is compiled.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from itertools import combinations
from types import NoneType
from typing import Any, Literal, get_origin

from attrs import frozen

from pgflow.dsl.hints import is_struct, json_kind, json_kinds, name_of, unwrap
from pgflow.dsl.misfit import MisfitError, expected
from pgflow.dsl.scalars import Dump, Load
from pgflow.dsl.structs import Struct
from pgflow.errors import DefinitionError

__all__ = ["Member", "union_codec"]


@frozen
class Member:
    """One member of a union; ``struct`` is given if it is a class with named fields."""

    hint: Any
    load: Load
    dump: Dump
    struct: Struct | None = None


def union_codec(hint: Any, members: Sequence[Member]) -> tuple[Load, Dump]:
    """The functions of a union.

    :raises DefinitionError: if JSON cannot tell its members apart.
    """
    name = name_of(hint)
    if any(member.hint is NoneType for member in members) and len(members) == 2:
        return _optional(*(member for member in members if member.hint is not NoneType))
    dumps = _dumps(members)
    by_kind = {kind: _one_load(hint, group) for kind, group in _by_kind(hint, members).items()}
    # jsonb writes a float beyond 1e16 without its point.
    if "float" in by_kind:
        by_kind.setdefault("int", by_kind["float"])

    def load(value: Any) -> Any:
        load_kind = by_kind.get(json_kind(value))
        if load_kind is None:
            raise expected(name, value)
        return load_kind(value)

    def dump(value: Any) -> Any:
        deepest: MisfitError | None = None
        for dump_member in dumps:
            try:
                return dump_member(value)
            except MisfitError as error:
                if error.depth > (deepest.depth if deepest else 0):
                    deepest = error
        # What failed below the top belongs to the member that the value was meant to be.
        raise deepest or expected(name, value)

    return load, dump


def _optional(member: Member) -> tuple[Load, Dump]:
    load_some, dump_some = member.load, member.dump
    return (
        lambda value: None if value is None else load_some(value),
        lambda value: None if value is None else dump_some(value),
    )


def _by_kind(hint: Any, members: Sequence[Member]) -> dict[str, list[Member]]:
    groups: dict[str, list[Member]] = {}
    for member in members:
        kinds = json_kinds(member.hint)
        if kinds is None or (is_struct(unwrap(member.hint)) and member.struct is None):
            raise DefinitionError(
                f"{name_of(hint)}: it cannot be told which JSON {name_of(member.hint)} becomes; "
                "annotate with it alone, or register hooks for the union with a converter of your own"
            )
        for kind in kinds:
            groups.setdefault(kind, []).append(member)
    return groups


def _one_load(hint: Any, members: Sequence[Member]) -> Load:
    """What reads JSON of one kind, which several members may claim."""
    literals = [m for m in members if get_origin(unwrap(m.hint)) is Literal]
    others = [m for m in members if m not in literals]
    if len(members) == 1:
        return members[0].load
    if not others:
        return lambda value: _first_fit(hint, literals, value)
    # "auto" | str: as JSON and in Python a literal is the same as the plain value.
    if len(others) == 1 and others[0].hint in (str, int, float, bool):
        return others[0].load
    structs = [m.struct for m in members if m.struct is not None]
    if len(structs) == len(members):
        for one, other in combinations(structs, 2):
            _check_distinct(hint, one, other)
        return lambda value: _choose(structs, value).load(value)
    raise DefinitionError(
        f"{name_of(hint)}: {' and '.join(name_of(m.hint) for m in members)} look the same as JSON; "
        "put them into classes with a Literal field that tells them apart"
    )


def _dumps(members: Sequence[Member]) -> list[Dump]:
    """One function for each member, but TypedDicts, whose values all are dicts, share one that looks at the keys."""
    dumps = [m.dump for m in members if m.struct is None or not m.struct.is_dict]
    dicts = [m.struct for m in members if m.struct is not None and m.struct.is_dict]
    if dicts:

        def dump(value: Any) -> Any:
            if not isinstance(value, dict):
                raise expected("dict", value)
            return _choose(dicts, value).dump(value)

        dumps.append(dump)
    return dumps


def _first_fit(hint: Any, members: Sequence[Member], value: Any) -> Any:
    for member in members:
        try:
            return member.load(value)
        except MisfitError:
            continue
    raise expected(name_of(hint), value)


def _check_distinct(hint: Any, one: Struct, other: Struct) -> None:
    if any(not set(one.tags[key]) & set(other.tags[key]) for key in one.tags.keys() & other.tags.keys()):
        return
    if one.required_keys | other.required_keys <= one.keys & other.keys:
        raise DefinitionError(
            f"{name_of(hint)}: an object can be both {one.name} and {other.name}; "
            "give each a field of the same name with its own Literal, or a required field that the other has not"
        )


def _choose(structs: Sequence[Struct], value: dict[str, Any]) -> Struct:
    """The struct that an object belongs to: all it requires is there, its tags agree, and least is left over."""
    fitting = [struct for struct in structs if struct.required_keys <= value.keys() and _tags_agree(struct, value)]
    if not fitting:
        names = " | ".join(struct.name for struct in structs)
        raise MisfitError(f"expected {names}, got {reprlib.repr(value)}")
    return min(fitting, key=lambda struct: len(value.keys() - struct.keys))


def _tags_agree(struct: Struct, value: dict[str, Any]) -> bool:
    return all(value[key] in choices for key, choices in struct.tags.items() if key in value)
