"""One step, called as a worker calls it, and nothing around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, overload
from uuid import UUID, uuid4

from attrs import NOTHING, frozen

from pgflow.dsl.handler import Source
from pgflow.engine.borrowed import borrow
from pgflow.engine.transaction import TaskTransaction
from pgflow.errors import PgflowError
from pgflow.models import Completion, Json, RunRow, RunSnapshot, RunStatus, TaskRecord
from pgflow.worker.context import Context
from pgflow.worker.database import HandlerDatabase

if TYPE_CHECKING:
    from pgflow.dsl import AnyStep, CompiledStep, FanoutStep, Step

__all__ = ["run_step"]

R = TypeVar("R")


@overload
def run_step(
    step: FanoutStep[..., R],
    *,
    run: Any = ...,
    deps: Mapping[Any, Any] | None = ...,
    attempt: int = ...,
    connection: Any = ...,
) -> list[R]: ...
@overload
def run_step(
    step: Step[..., R],
    *,
    run: Any = ...,
    deps: Mapping[Any, Any] | None = ...,
    attempt: int = ...,
    connection: Any = ...,
) -> R: ...
def run_step(
    step: Any, *, run: Any = NOTHING, deps: Mapping[Any, Any] | None = None, attempt: int = 1, connection: Any = None
) -> Any:
    """Call the handler of one step, here and now, and return the step's output; no database is needed.

    All values go through JSON as they would in a run: the run's input by the flow's annotation, what the dependencies
    return by theirs, then both by the handler's, and its result by its own. So a test of one step finds what does not
    fit between it and its neighbours. What the handler raises is raised, with its `RetryAfter` and `FailPermanently`.

    A step that fans out is called for each element of what its dependency returns, in order; its output is the list.

    :param run: the run's input, as `FlowClient.start` takes it.
    :param deps: what the dependencies return, by step or slug; those that the handler asks for.
    :param attempt: what ``ctx.attempt`` is.
    :param connection: gives the handler ``ctx.connection`` and ``ctx.session``, as a savepoint of its transaction:
        whatever `run_flow` takes.
    :raises NotJsonError: a value does not fit its annotation, or cannot be stored.
    :raises TypeError: what the handler asks for is not given, or what is given is no dependency.
    """
    flow = step.flow.compiled()
    compiled = flow.steps[step.slug]
    outputs = _outputs(step, deps or {})
    run_input = None if run is NOTHING else flow.dump_input(run)
    database = HandlerDatabase(_StandIn(step.flow.slug, run_input, connection))
    run_id = uuid4()
    results = []
    for index, task_input in enumerate(_task_inputs(step, run_input, outputs)):
        record = TaskRecord(
            flow_slug=step.flow.slug,
            run_id=run_id,
            step_slug=step.slug,
            input=task_input,
            msg_id=0,
            task_index=index,
            token=attempt,
            attempts_count=attempt,
        )
        context = Context(record, timeout=compiled.timeout, structure=flow.load_input, database=database)
        results.append(_call(compiled, record, context))
    return compiled.load_step_output(results if step.is_fanout else results[0])


def _outputs(step: AnyStep, given: Mapping[Any, Any]) -> dict[str, Json]:
    """What the dependencies return, as the engine would hold it."""
    values = {key if isinstance(key, str) else key.slug: value for key, value in given.items()}
    asked = {argument.slug for argument in step.arguments if argument.source is Source.DEPENDENCY}
    if step.is_fanout or any(argument.source is Source.DEPS for argument in step.arguments):
        asked = set(step.deps)
    if missing := sorted(asked - values.keys()):
        raise TypeError(f"step {step.slug!r} asks for what {', '.join(missing)} returns: give it in deps=")
    if unknown := sorted(values.keys() - set(step.deps)):
        raise TypeError(f"step {step.slug!r} does not depend on {', '.join(unknown)}")
    steps = step.flow.compiled().steps
    return {slug: steps[slug].dump_step_output(value) for slug, value in values.items()}


def _task_inputs(step: AnyStep, run_input: Json, outputs: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """The input of each task, as the engine makes it."""
    if not step.is_fanout:
        yield {"run": run_input, "deps": dict(outputs)}
        return
    items = outputs[step.deps[0]]
    if not isinstance(items, list):
        raise TypeError(f"step {step.slug!r} fans out over what {step.deps[0]} returns: give a list of it in deps=")
    yield from ({"item": item} for item in items)


def _call(step: CompiledStep, record: TaskRecord, context: Context) -> Json:
    try:
        output = step.call(record.input, context)
        context._finish(output)
    except BaseException:
        context._abandon()
        raise
    return output


@frozen(eq=False)
class _StandIn:
    """The database, as a handler's context asks it, for a run that is in none."""

    flow_slug: str
    run_input: Json
    connection: Any

    def get_run_with_states(self, run_id: UUID) -> RunSnapshot:
        """The run with its input."""
        run = RunRow(
            run_id=run_id,
            flow_slug=self.flow_slug,
            status=RunStatus.STARTED,
            input=self.run_input,
            output=None,
            error_message=None,
            remaining_steps=1,
            started_at=datetime.now(UTC),
            completed_at=None,
            failed_at=None,
        )
        return RunSnapshot(run, ())

    def task_transaction(self, seconds: float | None) -> TaskTransaction:
        """A savepoint on the test's connection."""
        if self.connection is None:
            raise PgflowError("the handler asks for ctx.connection or ctx.session: give run_step a connection=")
        # Without a limit: that would be the test's own transaction's as well.
        return _LoneTransaction(nullcontext(borrow(self.connection).driver), None)


class _LoneTransaction(TaskTransaction):
    """A handler's transaction without a task that would complete in it."""

    def _is_taken(self, completion: Completion) -> bool:
        return True
