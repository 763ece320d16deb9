"""What a handler asks for: its parameters, matched by name with what a task has to give."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from enum import Enum
from inspect import Parameter, Signature
from typing import Any

from attrs import frozen

from pgflow.dsl.hints import resolve
from pgflow.dsl.slugs import parameter_name
from pgflow.errors import HandlerSignatureError

__all__ = ["Argument", "Source", "bind_arguments", "check_handler", "resolve_parameter", "resolve_return"]


class Source(Enum):
    """Where an argument comes from."""

    #: The run's input.
    RUN = "run"
    #: The outputs of all dependencies, by slug.
    DEPS = "deps"
    #: The output of one dependency.
    DEPENDENCY = "dependency"
    #: The element of the array that this task of a fan-out is for.
    ITEM = "item"
    #: The worker's context.
    CTX = "ctx"
    #: The handler's own default, which has to be passed because a positional-only parameter follows it.
    DEFAULT = "default"


@frozen
class Argument:
    """One parameter of a handler that a task fills."""

    name: str
    source: Source
    #: The dependency, for `Source.DEPENDENCY`.
    slug: str = ""
    positional: bool = False
    #: For `Source.DEFAULT`.
    default: Any = None


def check_handler(handler: object, where: str) -> None:
    """Refuse what is no plain synchronous function.

    :raises HandlerSignatureError: saying what to do.
    """
    if not inspect.isfunction(handler):
        raise HandlerSignatureError(
            f"{where}: a handler is a plain function, got {type(handler).__name__}; wrap it in a function"
        )
    function = inspect.unwrap(handler)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise HandlerSignatureError(
            f"{where}: {function.__qualname__} is `async def`, and workers call handlers in threads; "
            "make it a plain `def`, calling asyncio.run(…) inside if need be"
        )
    if inspect.isgeneratorfunction(function):
        raise HandlerSignatureError(
            f"{where}: {function.__qualname__} is a generator; return a list, and fan out over it for a task per item"
        )


def bind_arguments(
    handler: Callable[..., Any], where: str, deps: Sequence[str], *, fanout: bool
) -> tuple[Argument, ...]:
    """Match the handler's parameters with what a task of its step has, in the order of the parameters.

    :raises HandlerSignatureError: for a parameter that nothing can fill.
    """
    parameters = list(inspect.signature(handler).parameters.values())
    filled = []
    known: dict[str, tuple[Source, str]] = {"ctx": (Source.CTX, "")}
    if fanout:
        item, parameters = _item(parameters, where), parameters[1:]
        filled.append(item)
    else:
        known |= {"run": (Source.RUN, ""), "deps": (Source.DEPS, "")}
        known |= {parameter_name(slug): (Source.DEPENDENCY, slug) for slug in deps}
    for parameter in parameters:
        positional = parameter.kind is Parameter.POSITIONAL_ONLY
        if parameter.name in known and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            source, slug = known[parameter.name]
            filled.append(Argument(parameter.name, source, slug, positional))
        elif parameter.default is Parameter.empty:
            raise HandlerSignatureError(f"{where}: {_complaint(parameter, deps, fanout=fanout)}")
        elif positional:
            filled.append(Argument(parameter.name, Source.DEFAULT, "", True, parameter.default))
    return tuple(filled)


def resolve_parameter(handler: Callable[..., Any], name: str, where: str) -> Any:
    """The annotation of a parameter, Any if it has none.

    :raises HandlerSignatureError: if it names something that is not there.
    """
    return _resolve(handler, name, f"{where}: the annotation of parameter {name!r}")


def resolve_return(handler: Callable[..., Any], where: str) -> Any:
    """The annotation of what the handler returns, Any if it has none.

    :raises HandlerSignatureError: if it names something that is not there.
    """
    return _resolve(handler, "return", f"{where}: the return annotation")


def _resolve(handler: Callable[..., Any], name: str, what: str) -> Any:
    function = inspect.unwrap(handler)
    annotation = function.__annotations__.get(name, Signature.empty)
    if annotation is Signature.empty:
        return Any
    try:
        return resolve(annotation, function.__globals__)
    except Exception as error:
        raise HandlerSignatureError(
            f"{what} cannot be resolved: {error}. Define or import what it names at module level, "
            "not inside a function and not under `if TYPE_CHECKING:`"
        ) from error


def _item(parameters: list[Parameter], where: str) -> Argument:
    first = parameters[0] if parameters else None
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    if first is None or first.kind in variadic or first.name in ("run", "deps", "ctx"):
        raise HandlerSignatureError(f"{where}: the handler of a fan-out takes its item as the first parameter; add it")
    return Argument(first.name, Source.ITEM, "", first.kind is Parameter.POSITIONAL_ONLY)


def _complaint(parameter: Parameter, deps: Sequence[str], *, fanout: bool) -> str:
    name = parameter.name
    if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is Parameter.VAR_POSITIONAL else "**"
        return (
            f"nothing can fill {stars}{name}; name what the handler needs "
            "(if a decorator wraps it, let that use functools.wraps)"
        )
    if fanout and name == "run":
        return "the handler of a fan-out has no parameter 'run'; ask for 'ctx' and read ctx.run_input"
    if fanout:
        return f"nothing can fill the parameter {name!r}; the handler of a fan-out gets its item first, then 'ctx'"
    names = ", ".join(repr(name) for name in ("run", "deps", "ctx", *map(parameter_name, deps)))
    hint = "; only a fan-out has items" if name == "item" else ""
    return (
        f"nothing can fill the parameter {name!r}{hint}. There are {names}; "
        "rename it, give it a default, or add the step it means to depends_on"
    )
