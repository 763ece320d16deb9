"""How single values are stored and read: nothing is rounded, parsed or guessed.

Every function here takes the value alone; `LOADS` and `DUMPS` say which class each belongs to.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from math import isfinite
from types import NoneType
from typing import Any, TypeAlias, get_args
from uuid import UUID

from pgflow.dsl.hints import json_kind, name_of
from pgflow.dsl.misfit import MisfitError, expected
from pgflow.errors import DefinitionError

__all__ = ["DUMPS", "LOADS", "Dump", "Load", "enum_codec", "literal_codec"]

Load: TypeAlias = Callable[[Any], Any]
"""Builds a Python value from JSON, or raises `MisfitError`."""

Dump: TypeAlias = Callable[[Any], Any]
"""Makes JSON of a Python value, or raises `MisfitError`."""


def _load_exact(kind: type) -> Load:
    def load(value: Any) -> Any:
        if type(value) is not kind:
            raise expected(name_of(kind), value)
        return value

    return load


def _load_float(value: Any) -> float:
    if type(value) is float and isfinite(value):
        return value
    if type(value) is int and _is_exact(value):
        return float(value)
    if type(value) is float:
        raise MisfitError(f"{value} is no JSON number")
    if type(value) is int:
        raise MisfitError(f"expected float, got {reprlib.repr(value)}, which no float equals")
    raise expected("float", value)


def _is_exact(value: int) -> bool:
    # jsonb writes the float 1e300 as an integer of 301 digits: the float that it came from prints as the same number.
    try:
        number = float(value)
    except OverflowError:
        return False
    return number == value or Decimal(repr(number)) == value


def _dump_str(value: Any) -> Any:
    if not isinstance(value, str):
        raise expected("str", value)
    return value


def _dump_int(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        raise expected("int", value)
    return value


def _dump_float(value: Any) -> Any:
    if not isinstance(value, float):
        _load_float(value)
    return value


def _text(kind: type, form: str, parse: Callable[[str], Any], write: Callable[[Any], str] = str) -> tuple[Load, Dump]:
    """The functions of a class that is stored as text; ``form`` tells the reader how the text should look."""

    def load(value: Any) -> Any:
        if type(value) is not str:
            raise expected(f"{kind.__name__} as {form}", value)
        try:
            return parse(value)
        except (ValueError, InvalidOperation) as error:
            raise MisfitError(f"expected {kind.__name__} as {form}, got {reprlib.repr(value)}") from error

    def dump(value: Any) -> Any:
        if not isinstance(value, kind):
            raise expected(kind.__name__, value)
        return write(value)

    return load, dump


def _parse_datetime(text: str) -> datetime:
    # A date alone would silently become its midnight.
    if not any(separator in text for separator in "T "):
        raise ValueError("a date without a time")
    return datetime.fromisoformat(text)


def _load_decimal(value: Any) -> Decimal:
    number = Decimal(value) if type(value) is int else _decimal_from_text(value)
    if not number.is_finite():
        raise MisfitError(f"{number} is no finite Decimal")
    return number


def _dump_decimal(value: Any) -> str:
    if isinstance(value, Decimal) and not value.is_finite():
        raise MisfitError(f"{value} is no finite Decimal")
    return _decimal_to_text(value)  # type: ignore[no-any-return]


def _dump_date(value: Any) -> str:
    if isinstance(value, datetime):
        raise expected("date", value)
    return _date_to_text(value)  # type: ignore[no-any-return]


def _load_timedelta(value: Any) -> timedelta:
    if type(value) not in (int, float):
        raise expected("timedelta as seconds", value)
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError) as error:
        raise MisfitError(f"{reprlib.repr(value)} seconds are no timedelta") from error


def _dump_timedelta(value: Any) -> int | float:
    if not isinstance(value, timedelta):
        raise expected("timedelta", value)
    seconds = value.total_seconds()
    if timedelta(seconds=seconds) != value:
        raise MisfitError(f"{value} is too long to be stored to the microsecond")
    return int(seconds) if seconds.is_integer() else seconds


_load_datetime, _dump_datetime = _text(datetime, "ISO text with date and time", _parse_datetime, datetime.isoformat)
_load_date, _date_to_text = _text(date, "ISO text", date.fromisoformat, date.isoformat)
_load_time, _dump_time = _text(time, "ISO text", time.fromisoformat, time.isoformat)
_load_uuid, _dump_uuid = _text(UUID, "text", UUID)
_decimal_from_text, _decimal_to_text = _text(Decimal, "text", Decimal)

LOADS: Mapping[type, Load] = {
    **{kind: _load_exact(kind) for kind in (str, int, bool, NoneType)},
    float: _load_float,
    datetime: _load_datetime,
    date: _load_date,
    time: _load_time,
    timedelta: _load_timedelta,
    UUID: _load_uuid,
    Decimal: _load_decimal,
}

DUMPS: Mapping[type, Dump] = {
    **{kind: _load_exact(kind) for kind in (bool, NoneType)},
    str: _dump_str,
    int: _dump_int,
    float: _dump_float,
    datetime: _dump_datetime,
    date: _dump_date,
    time: _dump_time,
    timedelta: _dump_timedelta,
    UUID: _dump_uuid,
    Decimal: _dump_decimal,
}


def enum_codec(kind: type[Enum]) -> tuple[Load, Dump]:
    """An enumeration is stored as its members' values, which must be JSON scalars.

    :raises DefinitionError: if they are not.
    """
    for member in kind:
        if json_kind(member.value) not in ("str", "int", "float", "bool", "null"):
            raise DefinitionError(
                f"the value of {kind.__name__}.{member.name} is a {type(member.value).__name__}, no JSON scalar"
            )

    def load(value: Any) -> Any:
        try:
            member = kind(value)
        except (ValueError, TypeError) as error:
            raise MisfitError(f"{reprlib.repr(value)} is no value of {kind.__name__}") from error
        # An enumeration finds 1 by True and 1.0 too, and may be told to find anything.
        if type(member.value) is not type(value) or member.value != value:
            raise MisfitError(f"{reprlib.repr(value)} is no value of {kind.__name__}")
        return member

    def dump(value: Any) -> Any:
        if not isinstance(value, kind):
            raise expected(kind.__name__, value)
        return value.value

    return load, dump


def literal_codec(hint: Any) -> tuple[Load, Dump]:
    """A Literal takes what it lists and nothing that is merely equal to it, such as True for 1."""
    choices = {_typed(choice.value if isinstance(choice, Enum) else choice): choice for choice in get_args(hint)}
    stored = {_typed(choice): key[1] for key, choice in choices.items()}
    wanted = f"one of {', '.join(map(repr, get_args(hint)))}"

    def load(value: Any) -> Any:
        return _pick(choices, value)

    def dump(value: Any) -> Any:
        return _pick(stored, value)

    def _pick(table: Mapping[tuple[type, Any], Any], value: Any) -> Any:
        try:
            return table[_typed(value)]
        except (KeyError, TypeError):
            raise MisfitError(f"expected {wanted}, got {reprlib.repr(value)}") from None

    return load, dump


def _typed(value: Any) -> tuple[type, Any]:
    return type(value), value
