"""The strict converter: between values with annotations and JSON, refusing what does not fit exactly.

It is a cattrs converter, so that hooks for further types are registered as with any other; where cattrs would call
``int("1")``, drop a subclass's fields or make a list of a str, this one raises a `MisfitError` that names the path.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from attrs import frozen
from cattrs import Converter

from pgflow.dsl import hints
from pgflow.dsl.containers import (
    array_codec,
    is_array,
    is_fixed_tuple,
    is_object,
    object_codec,
    tuple_codec,
    tuple_items,
)
from pgflow.dsl.plain import to_json
from pgflow.dsl.scalars import DUMPS, LOADS, Dump, Load, enum_codec, literal_codec
from pgflow.dsl.structs import Struct, declare_struct
from pgflow.dsl.unions import Member, union_codec
from pgflow.errors import DefinitionError

__all__ = ["StrictConverter"]


@frozen
class _Hook:
    """A structure hook as cattrs calls it, around a function that needs no type."""

    load: Load

    def __call__(self, value: Any, _: Any) -> Any:
        return self.load(value)


def _unsupported(*_: Any) -> NoReturn:
    """Stands where cattrs has a lenient hook of its own; it is recognised and never called."""
    raise NotImplementedError


_SCALAR_HOOKS = frozenset({_unsupported, *map(_Hook, LOADS.values()), *DUMPS.values()})


def _same(value: Any) -> Any:
    return value


class StrictConverter(Converter):
    """A cattrs converter for attrs classes, dataclasses, TypedDicts, NamedTuples, enumerations, Literals, unions, the
    usual containers, and str, int, float, bool, None, datetime, date, time, timedelta, UUID and Decimal.

    Make one, register hooks for further types on it, and pass it as ``Flow(…, converter=…)``. What no hook covers is a
    `DefinitionError` when the flow is compiled.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._codecs: dict[Any, tuple[Load, Dump]] = {}
        self._structs: dict[Any, Struct] = {}
        for kind, load in LOADS.items():
            self.register_structure_hook(kind, _Hook(load))
            self.register_unstructure_hook(kind, DUMPS[kind])
        for kind in (bytes, Path):
            self.register_structure_hook(kind, _unsupported)
            self.register_unstructure_hook(kind, _unsupported)
        # The last registered is asked first, so the general ones come before the special ones.
        rules: list[tuple[Callable[[Any], bool], Callable[[Any], tuple[Load, Dump]]]] = [
            (lambda hint: True, self._refuse),
            (is_object, self._object),
            (is_array, self._array),
            (is_fixed_tuple, self._tuple),
            (hints.is_struct, self._struct_codec),
            (hints.is_union, self._union),
            (lambda hint: hints.unwrap(hint) is not hint, lambda hint: self._pair(hints.unwrap(hint))),
            (lambda hint: get_origin(hint) is Literal, literal_codec),
            (hints.is_enum, enum_codec),
            (lambda hint: hint is None, lambda hint: self._pair(type(None))),
            (lambda hint: hint in (Any, object), lambda hint: (_same, to_json)),
        ]
        for predicate, build in rules:
            self._register(predicate, build)

    def get_structure_hook(self, type: Any, cache_result: bool = True) -> Callable[[Any, Any], Any]:
        """The function that builds a ``type`` from JSON.

        :raises DefinitionError: if there is none.
        """
        hook = super().get_structure_hook(type, cache_result)
        if hook in _SCALAR_HOOKS and type not in LOADS:
            return _Hook(self._derived(type)[0])
        return hook

    def get_unstructure_hook(self, type: Any, cache_result: bool = True) -> Callable[[Any], Any]:
        """The function that makes JSON of a ``type``.

        :raises DefinitionError: if there is none.
        """
        hook = super().get_unstructure_hook(type, cache_result)
        if hook in _SCALAR_HOOKS and type not in DUMPS:
            return self._derived(type)[1]
        return hook

    def _derived(self, kind: Any) -> tuple[Load, Dump]:
        # cattrs asks for the bases of a class before it asks our predicates, and a StrEnum is a str.
        return self._codec(kind, enum_codec if hints.is_enum(kind) else self._refuse)

    def _register(self, predicate: Callable[[Any], bool], build: Callable[[Any], tuple[Load, Dump]]) -> None:
        self.register_structure_hook_factory(predicate, lambda hint: _Hook(self._codec(hint, build)[0]))
        self.register_unstructure_hook_factory(predicate, lambda hint: self._codec(hint, build)[1])

    def _codec(self, hint: Any, build: Callable[[Any], tuple[Load, Dump]]) -> tuple[Load, Dump]:
        if hint not in self._codecs:
            self._codecs[hint] = build(hint)
        return self._codecs[hint]

    def _load(self, hint: Any) -> Load:
        hook = self.get_structure_hook(hint)
        return hook.load if isinstance(hook, _Hook) else lambda value: hook(value, hint)

    def _pair(self, hint: Any) -> tuple[Load, Dump]:
        return self._load(hint), self.get_unstructure_hook(hint)

    def _refuse(self, hint: Any) -> NoReturn:
        raise DefinitionError(
            f"pgflow cannot convert {hints.name_of(hint)} to JSON and back; use a type that it can, or register hooks "
            "on a StrictConverter and pass it as Flow(…, converter=…)"
        )

    def _array(self, hint: Any) -> tuple[Load, Dump]:
        return array_codec(hint, *self._pair((*get_args(hint), Any)[0]))

    def _tuple(self, hint: Any) -> tuple[Load, Dump]:
        return tuple_codec(hint, [self._pair(item) for item in tuple_items(hint)])

    def _object(self, hint: Any) -> tuple[Load, Dump]:
        key, value = get_args(hint) or (str, Any)
        return object_codec(hint, self._pair(key), self._pair(value))

    def _union(self, hint: Any) -> tuple[Load, Dump]:
        return union_codec(hint, [self._member(member) for member in get_args(hint)])

    def _member(self, hint: Any) -> Member:
        # Where hooks were registered for a class, what it becomes is theirs to say: then it is no struct of ours.
        return Member(hint, *self._pair(hint), self._structs.get(hints.unwrap(hint)))

    def _struct_codec(self, hint: Any) -> tuple[Load, Dump]:
        struct = self._struct(hint)
        return struct.load, struct.dump

    def _struct(self, hint: Any) -> Struct:
        if hint not in self._structs:
            struct = self._structs[hint] = declare_struct(hint)
            try:
                struct.add_functions(self._load, self.get_unstructure_hook)
            except DefinitionError:
                del self._structs[hint]
                raise
        return self._structs[hint]
