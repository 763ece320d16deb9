"""The runtime view of a flow: annotations resolved, converters built, ready to run tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import frozen

from pgflow.dsl.codec import Codec, make_codec
from pgflow.dsl.converter import StrictConverter
from pgflow.dsl.handler import Argument, Source, resolve_parameter, resolve_return
from pgflow.dsl.hints import json_kinds, name_of
from pgflow.errors import DefinitionError, HandlerSignatureError
from pgflow.models import Json

if TYPE_CHECKING:
    from cattrs import Converter

    from pgflow.dsl.flow import Flow
    from pgflow.dsl.step import AnyStep

__all__ = ["CompiledFlow", "CompiledStep", "compile_steps"]

_Take = Callable[[Mapping[str, Any], object], Any]
"""Fills one argument from a task's input and the context."""


@frozen(eq=False)
class CompiledStep:
    """A step that can run: its limits in effect, and how its handler's arguments and result are converted."""

    slug: str
    is_fanout: bool
    #: The slugs of the steps that it depends on.
    deps: tuple[str, ...]
    max_attempts: int
    #: Seconds that one attempt may take.
    timeout: int
    #: Whether the handler asks for ``ctx``.
    wants_ctx: bool
    handler: Callable[..., Any]
    _positional: tuple[_Take, ...]
    _keyword: tuple[tuple[str, _Take], ...]
    _output: Codec

    def bind(self, task_input: Mapping[str, Json], ctx: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The handler's arguments, structured by their annotations.

        :param task_input: ``{"run": …, "deps": {…}}``, or ``{"item": …}`` for a task of a fan-out.
        :param ctx: passed on as it is to a handler that asks for it.
        :raises MisfitError: naming the parameter and the path of what does not fit.
        """
        args = tuple([take(task_input, ctx) for take in self._positional])
        return args, {name: take(task_input, ctx) for name, take in self._keyword}

    def call(self, task_input: Mapping[str, Json], ctx: object) -> Json:
        """Call the handler with the arguments of a task and return its result as JSON.

        :raises MisfitError: if the input does not fit the handler, or its result cannot be stored. Whatever the handler
            itself raises passes through.
        """
        args, kwargs = self.bind(task_input, ctx)
        return self._output.dump(self.handler(*args, **kwargs))

    def dump_step_output(self, output: Any) -> Json:
        """The counterpart of `load_step_output`: what the engine holds where the step has this output.

        :raises MisfitError: if it is not what the step returns.
        """
        if not self.is_fanout:
            return self._output.dump(output)
        return [self._output.dump(each) for each in output]

    def load_step_output(self, output: Json) -> Any:
        """The step's output, structured: for a fan-out the list of its tasks' outputs."""
        if not self.is_fanout:
            return self._output.load(output)
        return self._output.load_each(output)  # type: ignore[arg-type]  # the engine aggregates a fan-out to an array


@frozen(eq=False)
class CompiledFlow:
    """A flow that can run."""

    slug: str
    steps: Mapping[str, CompiledStep]
    _input: Codec

    def dump_input(self, value: object) -> Json:
        """A run's input as JSON; `MisfitError` if it is not what ``Flow(input=…)`` says or cannot be stored."""
        return self._input.dump(value)

    def load_input(self, value: Json) -> Any:
        """A run's input, structured by ``Flow(input=…)``."""
        return self._input.load(value)

    def load_run_output(self, output: Mapping[str, Json]) -> dict[str, Any]:
        """A run's output, ``{leaf slug: its output}``, structured; what the flow has no step for stays JSON."""
        return {
            slug: self.steps[slug].load_step_output(value) if slug in self.steps else value
            for slug, value in output.items()
        }


def compile_steps(flow: Flow[Any]) -> CompiledFlow:
    """Resolve every annotation of ``flow`` and build its converters.

    :raises DefinitionError: for an annotation that cannot be resolved or converted, or a fan-out over what is no array.
    """
    converter = flow.converter or StrictConverter()
    steps = flow.steps
    returns = {slug: resolve_return(step.handler, _where(step)) for slug, step in steps.items()}
    for step in steps.values():
        if step.is_fanout and not steps[step.deps[0]].is_fanout:
            _check_array(step, returns[step.deps[0]])
    return CompiledFlow(
        flow.slug,
        MappingProxyType({slug: _compile_step(step, returns[slug], converter) for slug, step in steps.items()}),
        make_codec(converter, Any if flow.input is None else flow.input, f"input of flow {flow.slug!r}"),
    )


def _compile_step(step: AnyStep, returns: Any, converter: Converter) -> CompiledStep:
    own, of_flow = step.options, step.flow.options
    takes = [(argument, _take(step, argument, converter)) for argument in step.arguments]
    return CompiledStep(
        slug=step.slug,
        is_fanout=step.is_fanout,
        deps=step.deps,
        max_attempts=of_flow.max_attempts if own.max_attempts is None else own.max_attempts,
        timeout=of_flow.timeout if own.timeout is None else own.timeout,
        wants_ctx=any(argument.source is Source.CTX for argument in step.arguments),
        handler=step.handler,
        positional=tuple(take for argument, take in takes if argument.positional),
        keyword=tuple((argument.name, take) for argument, take in takes if not argument.positional),
        output=make_codec(converter, returns, f"output of {_where(step)}"),
    )


def _take(step: AnyStep, argument: Argument, converter: Converter) -> _Take:
    if argument.source is Source.CTX:
        return lambda task_input, ctx: ctx
    if argument.source is Source.DEFAULT:
        return lambda task_input, ctx: argument.default
    hint = resolve_parameter(step.handler, argument.name, _where(step))
    try:
        codec = make_codec(converter, hint, f"parameter {argument.name!r} of {_where(step)}")
    except DefinitionError as error:
        raise HandlerSignatureError(str(error)) from error
    if argument.source is Source.DEPENDENCY:
        return partial(_take_value, codec, (Source.DEPS.value, argument.slug))
    return partial(_take_value, codec, (argument.source.value,))


def _take_value(codec: Codec, keys: tuple[str, ...], task_input: Mapping[str, Any], ctx: object) -> Any:
    value: Any = task_input
    try:
        for key in keys:
            value = value[key]
    except KeyError:
        raise codec.missing() from None
    return codec.load(value)


def _check_array(step: AnyStep, returns: Any) -> None:
    kinds = json_kinds(returns)
    if kinds is not None and "array" not in kinds:
        raise DefinitionError(
            f"{_where(step)}: it fans out over {step.deps[0]!r}, which returns {name_of(returns)} and never an array; "
            "let it return a list"
        )


def _where(step: AnyStep) -> str:
    return f"step {step.slug!r} of flow {step.flow.slug!r}"
