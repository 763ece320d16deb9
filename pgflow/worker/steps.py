"""What a worker knows of the steps of its flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from attrs import evolve, frozen

from pgflow.dsl import AnyStep, Flow
from pgflow.errors import DefinitionError, NotJsonError, UnknownStepError
from pgflow.models import Json, TaskRecord
from pgflow.worker.context import Context, Transacted

__all__ = ["KnownStep", "by_slug", "known_steps", "step_of"]


@frozen
class KnownStep:
    """What a worker knows of a step."""

    #: Runs the handler: the task's input as plain JSON and the context, to the output as plain JSON, or to what became
    #: of it in the handler's own transaction.
    call: Callable[[Mapping[str, Json], Context | None], Json | Transacted]
    #: Structures a run's input as the flow says.
    load_run_input: Callable[[Json], Any]
    #: Whether the handler asks for the context.
    wants_ctx: bool
    #: Seconds after which an attempt fails.
    timeout: int
    #: None where that is not known.
    max_attempts: int | None
    #: Whether other steps wait for this one, so that its completion can make new tasks.
    feeds_others: bool


def by_slug(flows: Flow[Any] | Sequence[Flow[Any]]) -> dict[str, Flow[Any]]:
    """Return one flow or several by their slugs.

    :raises DefinitionError: if there is none, or two of them share a slug.
    """
    listed = [flows] if isinstance(flows, Flow) else list(flows)
    if not listed:
        raise DefinitionError("a worker needs at least one flow")
    found: dict[str, Flow[Any]] = {}
    for flow in listed:
        if not isinstance(flow, Flow):
            raise TypeError(f"a worker takes a Flow or several, got {flow!r}: it has to have the handlers")
        if found.setdefault(flow.slug, flow) is not flow:
            raise DefinitionError(f"two different flows of this worker have the slug {flow.slug!r}")
    return found


def known_steps(flow: Flow[Any]) -> dict[tuple[str, str], KnownStep]:
    """Return the steps of a flow by flow and step slug.

    :raises DefinitionError: if the flow cannot work.
    """
    compiled = flow.compiled().steps
    awaited = {dep for step in compiled.values() for dep in step.deps}
    return {
        (flow.slug, slug): KnownStep(
            call=partial(_call, flow.steps[slug]),
            load_run_input=partial(_load_run_input, flow.steps[slug]),
            wants_ctx=step.wants_ctx,
            timeout=step.timeout,
            max_attempts=step.max_attempts,
            feeds_others=slug in awaited,
        )
        for slug, step in compiled.items()
    }


def step_of(record: TaskRecord, steps: Mapping[tuple[str, str], KnownStep]) -> KnownStep:
    """Return what is known of a task's step; where its handler cannot be called, that fails the attempt."""
    step = steps.get((record.flow_slug, record.step_slug)) or _unknown_step(record)
    if record.unreadable is None:
        return step
    return evolve(step, call=partial(_refuse_input, f"the task's input: {record.unreadable}"), wants_ctx=False)


def _unknown_step(record: TaskRecord) -> KnownStep:
    """Return a stand-in for a step that the database has and this worker's code has not."""
    refuse = partial(_refuse, record.flow_slug, record.step_slug)
    return KnownStep(
        call=refuse, load_run_input=refuse, wants_ctx=False, timeout=60, max_attempts=None, feeds_others=False
    )


def _call(step: AnyStep, task_input: Mapping[str, Json], ctx: Context | None) -> Json | Transacted:
    """Run a handler; a step pickles by name, so this can be sent to another process."""
    compiled = step.flow.compiled().steps[step.slug]
    if ctx is None:
        return compiled.call(task_input, None)
    try:
        return ctx._finish(compiled.call(task_input, ctx))
    except BaseException:
        ctx._abandon()
        raise


def _load_run_input(step: AnyStep, plain: Json) -> Any:
    return step.flow.compiled().load_input(plain)


def _refuse(flow_slug: str, step_slug: str, *args: object) -> NoReturn:
    raise UnknownStepError(
        f"this worker's flow {flow_slug!r} has no step {step_slug!r}: it runs other code than the flow was defined by"
    )


def _refuse_input(reason: str, *args: object) -> NoReturn:
    raise NotJsonError(reason)
