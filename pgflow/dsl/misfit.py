"""The error that names the path to the value which does not fit."""

from __future__ import annotations

import re
import reprlib

from cattrs import transform_error

from pgflow.errors import NotJsonError

__all__ = ["MisfitError", "at", "expected"]

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_LONGEST_PATH = 24


class MisfitError(NotJsonError):
    """A value does not fit its annotation, or cannot be stored as JSON without changing it.

    It reads ``<what>: $.sites[2].url: expected str, got int``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        #: What is wrong with the value, without its path.
        self.reason = reason
        #: Which value it is part of, such as ``output of step 'a' of flow 'f'``; empty until the boundary adds it.
        self.what = ""
        # Innermost first: every level adds its own while the error passes through.
        self._segments: list[str | int] = []

    @property
    def path(self) -> str:
        """The path to the value, ``$`` being the whole."""
        segments = self._segments[::-1]
        if len(segments) <= _LONGEST_PATH:
            return "$" + "".join(map(_segment, segments))
        half = _LONGEST_PATH // 2
        return "$" + "".join(map(_segment, segments[:half])) + " … " + "".join(map(_segment, segments[-half:]))

    @property
    def depth(self) -> int:
        """How many levels below the whole the value lies."""
        return len(self._segments)

    def inside(self, segment: str | int) -> MisfitError:
        """Note that the value lies under this key or index; returns the error itself."""
        self._segments.append(segment)
        return self

    def __str__(self) -> str:
        message = f"{self.path}: {self.reason}"
        return f"{self.what}: {message}" if self.what else message


def expected(wanted: str, value: object) -> MisfitError:
    """The error for a value of the wrong type."""
    return MisfitError(f"expected {wanted}, got {_type_name(value)}")


def _type_name(value: object) -> str:
    """The type of a value, as a message names it; strings show what they hold."""
    if value is None:
        return "None"
    return f"str {reprlib.repr(value)}" if type(value) is str else type(value).__name__


def at(segment: str | int | None, error: Exception) -> MisfitError:
    """Turn whatever a conversion raised under ``segment`` into a `MisfitError` that knows its place.

    None stands for the value itself.
    """
    if isinstance(error, MisfitError):
        misfit = error
    else:
        misfit = MisfitError(_reason(error))
        misfit.__cause__ = error
    return misfit if segment is None else misfit.inside(segment)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply, or containing itself"
    if isinstance(error, ExceptionGroup):
        return "; ".join(transform_error(error))
    return str(error) or type(error).__name__


def _segment(segment: str | int) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    return f".{segment}" if _IDENTIFIER.fullmatch(segment) else f"[{reprlib.repr(segment)}]"
