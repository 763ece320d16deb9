"""A flow as SQL, for those who define it in the database by script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgflow.dsl.flow import Flow

__all__ = ["compile_flow"]


def compile_flow(flow: Flow[Any]) -> list[str]:
    """Return the statements that define ``flow``, each complete with its semicolon, in the order to run them.

    :raises DefinitionError: if the flow cannot work, as `Flow.compiled` does.
    """
    flow.compiled()
    definition = flow.definition()
    steps = definition.pop("steps")
    return [
        _call("create_flow", definition),
        *(_call("add_step", {"flow_slug": flow.slug, **_parameters(step)}) for step in steps),
    ]


def _parameters(step: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of ``add_step``: what the step leaves to the flow is left out."""
    parameters = {"step_slug": step["step_slug"], "deps_slugs": step["deps"]}
    for name in ("max_attempts", "base_delay", "timeout", "start_delay", "step_type", "handler_name"):
        if step[name] is not None:
            parameters[name] = step[name]
    return parameters


def _call(function: str, parameters: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{name} => {_literal(value)}" for name, value in parameters.items())
    return f"select pgflow.{function}({arguments});"


def _literal(value: str | int | list[str]) -> str:
    if isinstance(value, list):
        return f"array[{', '.join(map(_literal, value))}]::text[]"
    if isinstance(value, int):
        return str(value)
    quoted = value.replace("'", "''")
    # A backslash means itself only where standard_conforming_strings is on; in an E'' literal it is certain.
    return "E'" + quoted.replace("\\", "\\\\") + "'" if "\\" in quoted else f"'{quoted}'"
