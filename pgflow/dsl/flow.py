"""The definition of a flow: a slug, what its runs take, and its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

from pgflow.dsl.compiled import CompiledFlow, compile_steps
from pgflow.dsl.handler import bind_arguments, check_handler
from pgflow.dsl.options import FlowOptions, StepOptions
from pgflow.dsl.slugs import check_flow_slug, check_step_slug, likeness
from pgflow.dsl.step import AnyStep, FanoutStep, Step, StepHandle
from pgflow.errors import DefinitionError, DuplicateStepError, UnknownDependencyError
from pgflow.graph import FlowGraph
from pgflow.graph.drawn import Drawn

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["Flow"]

In = TypeVar("In")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Flow(Drawn, Generic[In]):
    """A flow: steps and what they depend on, added with the decorator `step`.

    A notebook shows its graph, and so does ``rich.print``.

    :param slug: its name, unique in the database: letters, digits, ``_`` and ``-``, at most 47 characters.
    :param input: the type of a run's input; without it any plain JSON is taken.
    :param max_attempts: how often a task is tried before its run fails.
    :param base_delay: seconds that are doubled with each attempt: before the second it is twice as many.
    :param timeout: seconds that one attempt may take.
    :param converter: a cattrs converter, in place of a `StrictConverter` without further hooks.
    :raises DefinitionError: for a slug or option that cannot be.
    """

    @overload
    def __init__(
        self: Flow[Any],
        slug: str,
        *,
        input: None = None,
        max_attempts: int = 3,
        base_delay: int = 1,
        timeout: int = 300,
        converter: Converter | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        slug: str,
        *,
        input: type[In],
        max_attempts: int = 3,
        base_delay: int = 1,
        timeout: int = 300,
        converter: Converter | None = None,
    ) -> None: ...
    @overload  # a union, a Literal and the like, of which no type checker knows the type yet
    def __init__(
        self: Flow[Any],
        slug: str,
        *,
        input: object,
        max_attempts: int = 3,
        base_delay: int = 1,
        timeout: int = 300,
        converter: Converter | None = None,
    ) -> None: ...
    def __init__(
        self,
        slug: str,
        *,
        input: Any = None,
        max_attempts: int = 3,
        base_delay: int = 1,
        timeout: int = 300,
        converter: Converter | None = None,
    ) -> None:
        self.slug = check_flow_slug(slug)
        #: The type of a run's input, None for plain JSON.
        self.input = input
        self.options = FlowOptions(max_attempts, base_delay, timeout)
        self.options.check(f"flow {slug!r}")
        #: What converts values with annotations; None for a `StrictConverter`.
        self.converter = converter
        self._steps: dict[str, AnyStep] = {}
        self._compiled: CompiledFlow | None = None

    @overload
    def step(self, handler: Callable[P, R], /) -> Step[P, R]: ...
    @overload  # fan-out over a step: the first parameter is an element of its output
    def step(
        self,
        slug: str | None = None,
        /,
        *,
        depends_on: Sequence[Step[..., Sequence[T]]],
        fanout: Literal[True],
        max_attempts: int | None = None,
        base_delay: int | None = None,
        timeout: int | None = None,
        start_delay: int | None = None,
    ) -> Callable[[Callable[Concatenate[T, P], R]], FanoutStep[Concatenate[T, P], R]]: ...
    @overload  # fan-out over a fan-out: its items
    def step(
        self,
        slug: str | None = None,
        /,
        *,
        depends_on: Sequence[FanoutStep[..., T]],
        fanout: Literal[True],
        max_attempts: int | None = None,
        base_delay: int | None = None,
        timeout: int | None = None,
        start_delay: int | None = None,
    ) -> Callable[[Callable[Concatenate[T, P], R]], FanoutStep[Concatenate[T, P], R]]: ...
    @overload  # fan-out over a slug: untyped
    def step(
        self,
        slug: str | None = None,
        /,
        *,
        depends_on: Sequence[str],
        fanout: Literal[True],
        max_attempts: int | None = None,
        base_delay: int | None = None,
        timeout: int | None = None,
        start_delay: int | None = None,
    ) -> Callable[[Callable[P, R]], FanoutStep[P, R]]: ...
    @overload
    def step(
        self,
        slug: str | None = None,
        /,
        *,
        depends_on: Sequence[str | AnyStep] = ...,
        fanout: Literal[False] = ...,
        max_attempts: int | None = None,
        base_delay: int | None = None,
        timeout: int | None = None,
        start_delay: int | None = None,
    ) -> Callable[[Callable[P, R]], Step[P, R]]: ...
    def step(
        self,
        slug: Any = None,
        /,
        *,
        depends_on: Any = (),
        fanout: bool = False,
        max_attempts: int | None = None,
        base_delay: int | None = None,
        timeout: int | None = None,
        start_delay: int | None = None,
    ) -> Any:
        """Make a step of a function: ``@flow.step``, or ``@flow.step("slug", depends_on=[other])``.

        The handler asks by parameter name for ``run``, ``deps``, ``ctx`` or a dependency's slug with ``-`` as ``_``;
        that of a fan-out takes its item first. Defining the same function (module and qualified name) under the same
        slug again replaces the step in its place, so that a notebook cell can run twice.

        :param slug: its name in the flow; by default the function's.
        :param depends_on: steps of this flow, or their slugs, that were defined before.
        :param fanout: one task for each element of the array that the only dependency returns.
        :param start_delay: seconds between the completion of the dependencies and the first attempt.
        :raises DefinitionError: for what cannot work, as far as it shows before annotations are resolved.
        """
        options = StepOptions(max_attempts, base_delay, timeout, start_delay)

        def decorate(handler: Callable[..., Any]) -> AnyStep:
            name = slug if isinstance(slug, str) else getattr(handler, "__name__", None)
            return self._add(name, handler, depends_on, options, fanout=fanout)

        if slug is None or isinstance(slug, str):
            return decorate
        if isinstance(slug, StepHandle) or callable(slug):
            return decorate(slug)
        check_step_slug(slug)
        raise AssertionError  # pragma: no cover  what is no string is refused as a slug

    @property
    def steps(self) -> Mapping[str, AnyStep]:
        """The steps by slug, in the order of their definition, which is topological."""
        return MappingProxyType(self._steps)

    def graph(self) -> FlowGraph:
        """The steps as a graph, to be drawn."""
        return FlowGraph.of_shapes(self.slug, list(self._steps.values()))

    def definition(self) -> dict[str, Any]:
        """The flow as the engine's ``ensure_flow`` takes it: JSON, with null for what a step leaves to the flow."""
        return {
            "flow_slug": self.slug,
            "max_attempts": self.options.max_attempts,
            "base_delay": self.options.base_delay,
            "timeout": self.options.timeout,
            "steps": [
                {
                    "step_slug": step.slug,
                    "step_type": "fanout" if step.is_fanout else "single",
                    "deps": list(step.deps),
                    "handler_name": step.handler.__qualname__,
                    "max_attempts": step.options.max_attempts,
                    "base_delay": step.options.base_delay,
                    "timeout": step.options.timeout,
                    "start_delay": step.options.start_delay,
                }
                for step in self._steps.values()
            ],
        }

    def compiled(self) -> CompiledFlow:
        """The runtime view, made at the first call and after every change.

        :raises DefinitionError: for an annotation that cannot be resolved or converted, or a fan-out over what is no
            array.
        """
        if self._compiled is None:
            self._compiled = compile_steps(self)
        return self._compiled

    def __repr__(self) -> str:
        return f"<Flow {self.slug!r}: {', '.join(self._steps) or 'no steps'}>"

    def _add(
        self, slug: Any, handler: Callable[..., Any], depends_on: object, options: StepOptions, *, fanout: bool
    ) -> AnyStep:
        where = f"step {check_step_slug(slug)!r} of flow {self.slug!r}"
        check_handler(handler, where)
        options.check(where)
        deps = self._resolve_deps(where, slug, depends_on)
        if fanout and not deps:
            raise DefinitionError(f"{where}: Fanout steps cannot be root steps; name one to fan out over in depends_on")
        if fanout and len(deps) != 1:
            raise DefinitionError(f"{where}: Fanout steps must have exactly one dependency, got {', '.join(deps)}")
        self._check_free(where, slug, handler)
        kind: type[AnyStep] = FanoutStep if fanout else Step
        step = kind(self, slug, handler, deps, options, bind_arguments(handler, where, deps, fanout=fanout))
        self._steps[slug] = step
        self._compiled = None
        return step

    def _resolve_deps(self, where: str, slug: str, depends_on: object) -> tuple[str, ...]:
        if isinstance(depends_on, str | StepHandle) or not isinstance(depends_on, Sequence):
            raise DefinitionError(f"{where}: depends_on is a list of steps or slugs, got {depends_on!r}")
        deps = tuple(self._slug_of(where, dep) for dep in depends_on)
        # A step that is defined again keeps its place, so it may depend only on those before that.
        before = list(self._steps)
        if slug in self._steps:
            before = before[: before.index(slug)]
        known = ", ".join(before) or "none"
        for dep in deps:
            if dep not in before:
                raise UnknownDependencyError(
                    f"{where} depends on {dep!r}, which is not defined before it; before it come: {known}"
                )
        if len(set(deps)) < len(deps):
            twice = next(dep for dep in deps if deps.count(dep) > 1)
            raise DefinitionError(f"{where}: depends_on names {twice!r} twice; name it once")
        return deps

    def _slug_of(self, where: str, dep: object) -> str:
        if isinstance(dep, str):
            return dep
        if not isinstance(dep, StepHandle):
            raise DefinitionError(f"{where}: depends_on takes steps or slugs, got {dep!r}; decorate it")
        if dep.flow is not self:
            raise UnknownDependencyError(f"{where} depends on {dep!r}: a step can depend only on steps of its own flow")
        return dep.slug

    def _check_free(self, where: str, slug: str, handler: Callable[..., Any]) -> None:
        for other in self._steps.values():
            if other.slug == slug and not _is_same_function(other.handler, handler):
                raise DuplicateStepError(
                    f"{where} is defined already, by {other.handler.__qualname__}; choose another slug"
                )
            if other.slug != slug and likeness(other.slug) == likeness(slug):
                raise DuplicateStepError(
                    f"{where} is too much like step {other.slug!r}: they differ only in case, or in '-' and '_', and "
                    "handlers ask for both by one parameter name; choose another slug"
                )


def _is_same_function(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether a function is the other, defined again; two lambdas share a name and are not the same."""
    return (
        one.__module__ == other.__module__
        and one.__qualname__ == other.__qualname__
        and not one.__name__.startswith("<")
    )
