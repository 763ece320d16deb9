"""The boundary between Python values and JSON: one annotation, both directions, one kind of error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from cattrs import Converter

from pgflow.dsl.hints import is_plain, name_of
from pgflow.dsl.misfit import MisfitError, at
from pgflow.dsl.plain import to_json
from pgflow.dsl.scalars import Dump, Load
from pgflow.errors import DefinitionError
from pgflow.models import Json

__all__ = ["Codec", "make_codec"]


@frozen
class Codec:
    """Moves the values of one annotation between Python and JSON."""

    #: Whose value it is, for messages: ``output of step 'a' of flow 'f'``.
    what: str
    #: None for plain JSON, which is passed as it is.
    _load: Load | None = None
    #: None for plain JSON, which is only checked.
    _dump: Dump | None = None

    def load(self, value: Any) -> Any:
        """Build the Python value; `MisfitError` if the JSON does not fit the annotation."""
        if self._load is None:
            return value
        try:
            return self._load(value)
        except Exception as error:
            raise self._named(at(None, error))  # noqa: B904  the same error passes on, or has its cause

    def load_each(self, values: Sequence[Any]) -> list[Any]:
        """Build a Python value from each; `MisfitError` naming the index of one that does not fit."""
        result: list[Any] = []
        for index, value in enumerate(values):
            try:
                result.append(self.load(value))
            except MisfitError as error:
                raise error.inside(index)  # noqa: B904  the same error passes on
        return result

    def dump(self, value: Any) -> Json:
        """Make JSON; `MisfitError` if the value does not fit the annotation or cannot be stored."""
        try:
            return to_json(value if self._dump is None else self._dump(value))
        except Exception as error:
            raise self._named(at(None, error))  # noqa: B904  the same error passes on, or has its cause

    def missing(self) -> MisfitError:
        """The error for a task input without this value: the database holds another shape of the flow."""
        return self._named(MisfitError("missing from the task's input"))

    def _named(self, error: MisfitError) -> MisfitError:
        error.what = self.what
        return error


def make_codec(converter: Converter, hint: Any, what: str) -> Codec:
    """The codec of an annotation, with the hooks of ``converter``.

    :raises DefinitionError: if the converter cannot convert it.
    """
    if is_plain(hint):
        return Codec(what)
    try:
        load, dump = converter.get_structure_hook(hint), converter.get_unstructure_hook(hint)
    except Exception as error:
        raise DefinitionError(f"{what}, annotated {name_of(hint)}: {error}") from error
    return Codec(what, lambda value: load(value, hint), dump)
