"""What a handler can ask about the attempt that it is running."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pgflow.models import TaskRecord

__all__ = ["Context"]

_NOT_LOADED: Any = object()


class Context:
    """One attempt at one task, as its handler sees it (the parameter ``ctx``).

    A context can be pickled, so that a handler may run in another process; the run input then travels with it, and
    `should_stop` knows the deadline only.
    """

    __slots__ = (
        "_cancelled",
        "_ends",
        "_load_run_input",
        "_run_input",
        "attempt",
        "deadline",
        "flow_slug",
        "run_id",
        "step_slug",
        "task_index",
    )

    run_id: UUID
    flow_slug: str
    step_slug: str
    #: The item's place in the fan-out's array; 0 for a single step.
    task_index: int
    #: 1 for the first attempt.
    attempt: int
    #: When this attempt is failed with a timeout, in UTC.
    deadline: datetime

    def __init__(self, record: TaskRecord, *, timeout: float, load_run_input: Callable[[], Any]) -> None:
        self.run_id = record.run_id
        self.flow_slug = record.flow_slug
        self.step_slug = record.step_slug
        self.task_index = record.task_index
        self.attempt = record.attempts_count
        self.deadline = datetime.now(UTC) + timedelta(seconds=timeout)
        self._ends = time.monotonic() + timeout
        self._load_run_input = load_run_input
        self._run_input = _NOT_LOADED
        self._cancelled = False

    @property
    def run_input(self) -> Any:
        """The run's input, structured as the flow's ``input=`` says; loaded when it is first asked for."""
        if self._run_input is _NOT_LOADED:
            self._run_input = self._load_run_input()
        return self._run_input

    @property
    def should_stop(self) -> bool:
        """Whether finishing is in vain or not welcome: the time is up, another attempt has taken the task, its run is
        over, or the worker is shutting down. A long handler looks at this now and then and gives up by raising."""
        return self._cancelled or time.monotonic() >= self._ends

    @property
    def idempotency_key(self) -> str:
        """The same text on every attempt at this task, and another for every other task."""
        return f"{self.run_id}:{self.step_slug}:{self.task_index}"

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry the ids of this attempt, as attributes and before the message.

        Its name is ``pgflow.flow.<flow slug>.<step slug>``.
        """
        return _TaskLogger(
            logging.getLogger(f"pgflow.flow.{self.flow_slug}.{self.step_slug}"),
            {
                "run_id": str(self.run_id),
                "flow_slug": self.flow_slug,
                "step_slug": self.step_slug,
                "task_index": self.task_index,
                "attempt": self.attempt,
            },
        )

    def remaining(self) -> float:
        """Return the seconds that are left before the deadline, never below 0."""
        return max(self._ends - time.monotonic(), 0.0)

    def __repr__(self) -> str:
        return (
            f"<Context of {self.flow_slug}.{self.step_slug}[{self.task_index}] in run {self.run_id}, "
            f"attempt {self.attempt}>"
        )

    def __getstate__(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in self.__slots__ if not name.startswith("_")}
        return state | {"run_input": self.run_input, "cancelled": self._cancelled}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._run_input = state.pop("run_input")
        self._cancelled = state.pop("cancelled")
        for name, value in state.items():
            setattr(self, name, value)
        # A monotonic clock means nothing on another machine; the wall clock's deadline does.
        self._ends = time.monotonic() + (self.deadline - datetime.now(UTC)).total_seconds()
        self._load_run_input = _nothing_to_load

    def _cancel(self) -> None:
        """Tell the handler to stop; the worker's, not the handler's."""
        self._cancelled = True


class _TaskLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the ids of an attempt to every record, beside what the call adds itself."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        ids = self.extra or {}
        kwargs["extra"] = {**ids, **(kwargs.get("extra") or {})}
        where = f"{ids['flow_slug']}.{ids['step_slug']}[{ids['task_index']}]"
        # The ids hold no percent sign, so the message keeps its own formatting arguments.
        return f"{where} run {ids['run_id']} attempt {ids['attempt']}: {msg}", kwargs


def _nothing_to_load() -> Any:
    raise AssertionError("an unpickled context has its run input")
