"""The options of flows and steps: whole numbers, as the database keeps them."""

from __future__ import annotations

from attrs import asdict, frozen

from pgflow.errors import DefinitionError

__all__ = ["FlowOptions", "StepOptions"]

_LARGEST = 2**31 - 1


@frozen
class FlowOptions:
    """What holds for every step of a flow that does not say otherwise."""

    max_attempts: int
    #: Seconds that are doubled with each attempt: before the second it is twice as many.
    base_delay: int
    #: Seconds that one attempt may take.
    timeout: int

    def check(self, where: str) -> None:
        """Raise `DefinitionError` for a value that cannot be."""
        _check(where, asdict(self))


@frozen
class StepOptions:
    """What a step says itself; None leaves it to the flow."""

    max_attempts: int | None = None
    base_delay: int | None = None
    timeout: int | None = None
    #: Seconds between the completion of the dependencies and the first attempt; None is at once.
    start_delay: int | None = None

    def check(self, where: str) -> None:
        """Raise `DefinitionError` for a value that cannot be."""
        _check(where, {name: value for name, value in asdict(self).items() if value is not None})


def _check(where: str, options: dict[str, object]) -> None:
    for name, value in options.items():
        least = 1 if name in ("max_attempts", "timeout") else 0
        unit = "" if name == "max_attempts" else " of seconds"
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _LARGEST:
            raise DefinitionError(f"{where}: {name} is a whole number{unit}, at least {least}; got {value!r}")
