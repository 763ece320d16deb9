"""Step handles: what a decorated handler becomes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, TypeVar

from pgflow.dsl.handler import Argument
from pgflow.dsl.options import StepOptions

if TYPE_CHECKING:
    from pgflow.dsl.flow import Flow

__all__ = ["AnyStep", "FanoutStep", "Step", "StepHandle"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class StepHandle(Generic[P, R_co]):
    """What `Step` and `FanoutStep` share: callable like the function it wraps, and named in ``depends_on``.

    It pickles as a reference to its module and qualified name, like the function would; a step that cannot be found
    there, such as one defined inside a function, does not pickle.
    """

    is_fanout = False

    def __init__(
        self,
        flow: Flow[Any],
        slug: str,
        handler: Callable[P, R_co],
        deps: tuple[str, ...],
        options: StepOptions,
        arguments: tuple[Argument, ...],
    ) -> None:
        functools.update_wrapper(self, handler)
        #: The flow that it belongs to.
        self.flow = flow
        self.slug = slug
        #: The function itself.
        self.handler = handler
        #: The slugs of the steps that it depends on.
        self.deps = deps
        self.options = options
        #: How the handler's parameters are filled.
        self.arguments = arguments

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the handler, here and now."""
        return self.handler(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.slug!r} of flow {self.flow.slug!r}>"

    def __reduce__(self) -> str:
        return self.handler.__qualname__


class Step(StepHandle[P, R_co]):
    """A step with one task; its output is what the handler returns."""


class FanoutStep(StepHandle[P, R_co]):
    """A step with a task for each element of its dependency's output; its output is the list of what they return."""

    is_fanout = True


AnyStep: TypeAlias = "Step[..., Any] | FanoutStep[..., Any]"
"""A step of either kind, as ``depends_on`` takes it."""
