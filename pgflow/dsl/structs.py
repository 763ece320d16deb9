"""How classes with named fields are stored and read: attrs, dataclasses and TypedDicts, generic ones too."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cached_property
from typing import Any, Literal, NotRequired, Required, get_args, get_origin, get_type_hints, is_typeddict

import attrs
from attrs import define, frozen

from pgflow.dsl.hints import name_of, plain_names, type_arguments, unwrap, with_arguments
from pgflow.dsl.misfit import MisfitError, at, expected
from pgflow.dsl.scalars import Dump, Load
from pgflow.errors import DefinitionError

__all__ = ["Field", "Struct", "declare_struct"]


@frozen
class Field:
    """One field of a struct."""

    #: Its name, and its key in the JSON object.
    name: str
    #: What the constructor calls it.
    argument: str
    hint: Any
    required: bool

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a Literal field, by which classes can be told apart; none for any other."""
        hint = unwrap(self.hint)
        if get_origin(hint) is not Literal:
            return ()
        return tuple(choice.value if isinstance(choice, Enum) else choice for choice in get_args(hint))


@define(eq=False)
class Struct:
    """A class and its fields; their functions are added once the struct is known, since a class may hold itself."""

    kind: Any
    name: str
    fields: tuple[Field, ...]
    _converted: tuple[tuple[Field, Load, Dump], ...] = ()

    def load(self, value: Any) -> Any:
        """Build the class from a JSON object; keys that it does not know stay out, except from a TypedDict."""
        if type(value) is not dict:
            raise expected(self.name, value)
        arguments = self._convert_keys(value)
        if self.is_dict:
            return value | arguments
        try:
            return self.kind(**arguments)
        except Exception as error:
            raise MisfitError(f"{self.name} refused it: {at(None, error)}") from error

    def dump(self, value: Any) -> Any:
        """Make a JSON object of an instance of this very class: of a subclass, fields would be lost."""
        if self.is_dict:
            return self._dump_dict(value)
        if type(value) is not self.kind:
            raise self._wrong_class(value)
        result = {}
        for field, _, dump in self._converted:
            try:
                result[field.name] = dump(getattr(value, field.name))
            except Exception as error:
                raise at(field.name, error)  # noqa: B904  the same error passes on, or has its cause
        return result

    @property
    def is_dict(self) -> bool:
        """Whether it is a TypedDict, whose values are plain dicts."""
        return is_typeddict(self.kind)

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every key it can have."""
        return frozenset(field.name for field in self.fields)

    @cached_property
    def required_keys(self) -> frozenset[str]:
        """The keys without which it cannot be."""
        return frozenset(field.name for field in self.fields if field.required)

    @cached_property
    def tags(self) -> dict[str, tuple[Any, ...]]:
        """The keys that can hold only certain values, with those."""
        return {field.name: field.choices for field in self.fields if field.choices}

    def add_functions(self, load_of: Callable[[Any], Load], dump_of: Callable[[Any], Dump]) -> None:
        """Find the functions of every field by its hint.

        :raises DefinitionError: naming a field whose annotation cannot be converted.
        """
        converted = []
        for field in self.fields:
            try:
                converted.append((field, load_of(field.hint), dump_of(field.hint)))
            except DefinitionError as error:
                raise DefinitionError(f"field {field.name!r} of {self.name}: {error}") from error
        self._converted = tuple(converted)

    def _convert_keys(self, value: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {}
        for field, load, _ in self._converted:
            if field.name in value:
                try:
                    arguments[field.argument] = load(value[field.name])
                except Exception as error:
                    raise at(field.name, error)  # noqa: B904  the same error passes on, or has its cause
            elif field.required:
                raise MisfitError(f"missing, and {self.name} has no default for it").inside(field.name)
        return arguments

    def _dump_dict(self, value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise expected(self.name, value)
        result = dict(value)
        for field, _, dump in self._converted:
            if field.name in value:
                try:
                    result[field.name] = dump(value[field.name])
                except Exception as error:
                    raise at(field.name, error)  # noqa: B904  the same error passes on, or has its cause
            elif field.required:
                raise MisfitError(f"missing, and {self.name} requires it").inside(field.name)
        return result

    def _wrong_class(self, value: Any) -> MisfitError:
        if isinstance(value, self.kind):
            sub = type(value).__name__
            return MisfitError(f"expected {self.name}, got its subclass {sub}; annotate with {sub}, or with a union")
        return expected(self.name, value)


def declare_struct(hint: Any) -> Struct:
    """The struct that a class stands for, its fields still without functions.

    :raises DefinitionError: if a field's annotation cannot be resolved.
    """
    kind, known = get_origin(hint) or hint, type_arguments(hint)
    fields = [
        Field(name, argument, with_arguments(annotation, known), required)
        for name, argument, annotation, required in _declared(kind)
    ]
    return Struct(kind, name_of(hint), tuple(fields))


def _declared(kind: Any) -> Iterator[tuple[str, str, Any, bool]]:
    """Name, constructor argument, hint and whether it is required, of each field that the constructor takes."""
    hints = _resolved(kind)
    if is_typeddict(kind):
        for name, hint in hints.items():
            yield name, name, *_requirement(hint, name in kind.__required_keys__)
    elif attrs.has(kind):
        for attribute in attrs.fields(kind):
            if attribute.init:
                hint = hints.get(attribute.name, Any if attribute.type is None else attribute.type)
                yield attribute.name, attribute.alias, hint, attribute.default is attrs.NOTHING
    else:
        for field in dataclasses.fields(kind):
            if field.init:
                bare = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
                yield field.name, field.name, hints[field.name], bare


def _resolved(kind: Any) -> dict[str, Any]:
    module = vars(sys.modules.get(kind.__module__, sys))
    try:
        return get_type_hints(kind, localns={kind.__name__: kind, **plain_names(module)}, include_extras=True)
    except Exception as error:
        raise DefinitionError(
            f"an annotation of {name_of(kind)} in module {kind.__module__} cannot be resolved: {error}. "
            "Define or import what it names at module level, outside `if TYPE_CHECKING:`"
        ) from error


def _requirement(hint: Any, required: bool) -> tuple[Any, bool]:
    """Strip what surrounds a TypedDict's hint; a NotRequired inside a string escapes Python's own record."""
    while (origin := get_origin(hint)) is not None and getattr(origin, "_name", None) in (
        "Required",
        "NotRequired",
        "ReadOnly",
    ):
        required = origin is Required or (required and origin is not NotRequired)
        (hint,) = get_args(hint)
    return hint, required
