"""What a worker knows of the executors that it is given."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from pgflow.models import Json, TaskKey
from pgflow.worker.context import Context, Transacted
from pgflow.worker.failures import RemoteError
from pgflow.worker.handler_process import Recipe
from pgflow.worker.inflight import Attempt
from pgflow.worker.processes import HandlerProcesses
from pgflow.worker.threads import HandlerThreads

__all__ = ["executor_for", "start_call", "stop_call"]

logger = logging.getLogger("pgflow.worker")


def executor_for(given: Executor | None, concurrency: int) -> tuple[Executor, int]:
    """Return the executor that runs the handlers, and how many of them at a time.

    None is threads of the worker's own. A `ProcessPoolExecutor` says how processes are to be made: handlers run in
    processes that are made so and that can be killed one by one. A subclass, which may do anything, is used itself.
    """
    if given is None:
        return HandlerThreads(concurrency), concurrency
    places = concurrency
    if isinstance(given, (ThreadPoolExecutor, ProcessPoolExecutor)):
        # What an executor has no room for would wait inside it while its time runs.
        places = min(concurrency, _size_of(given))
    if places < concurrency:
        logger.info(
            "the executor runs %d handlers at a time, so the worker claims no more, in spite of a concurrency of %d",
            places,
            concurrency,
        )
    if type(given) is ProcessPoolExecutor:
        return HandlerProcesses(places, _recipe_of(given)), places
    return given, places


def _size_of(pool: Any) -> int:
    """Return how many calls a pool of the standard library runs at a time, which has no public name."""
    size: int = pool._max_workers
    return size


def _recipe_of(pool: Any) -> Recipe:
    """Return how a `ProcessPoolExecutor` makes its processes, which has no public names."""
    return Recipe(
        context=pool._mp_context,
        initializer=pool._initializer,
        initargs=pool._initargs,
        max_calls=pool._max_tasks_per_child,
    )


def start_call(executor: Executor, attempt: Attempt) -> Future[Any]:
    """Have the handler of an attempt called; what is wrong with the call itself is an error of the future.

    :raises Exception: the executor's own, where it takes no calls at all.
    """
    step, record = attempt.step, attempt.record
    context = attempt.context if step.wants_ctx else None
    try:
        if isinstance(executor, (HandlerThreads, ThreadPoolExecutor)):
            return executor.submit(step.call, record.input, context)
        return executor.submit(_call, record.key, attempt.context.deadline, step.call, record.input, context)
    except Exception as error:
        # Not everything can be sent to another process. A call that can, tells whose fault it is.
        executor.submit(int)
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed


def stop_call(executor: Executor, future: Future[Any]) -> bool:
    """Have a call neither begin nor go on; False if it may."""
    if isinstance(executor, HandlerProcesses):
        return future.cancel() or executor.kill(future)
    if isinstance(executor, (HandlerThreads, ThreadPoolExecutor, ProcessPoolExecutor)):
        return future.cancel()
    # Others, Dask's for one, say that they have cancelled what goes on nevertheless. What has not begun ends at once
    # when its turn comes, see below.
    return False


def _call(
    key: TaskKey,
    deadline: datetime,
    call: Callable[[Mapping[str, Json], Context | None], Json | Transacted],
    task_input: Mapping[str, Json],
    ctx: Context | None,
) -> Json | Transacted:
    """Call a handler in another process, unless its time is up.

    The key makes the call unlike any other: Dask takes two equal ones for the same.
    """
    try:
        if datetime.now(UTC) >= deadline:
            raise TimeoutError("its time was up before the executor began it")
        return call(task_input, ctx)
    except BaseException as error:
        raise RemoteError.of(error) from None
