"""Assertions on runs, whose messages tell of every step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pgflow.client import FlowRun, FlowStep
from pgflow.models import RunStatus, StepStatus
from pgflow.testing.driving import DrivenRun

if TYPE_CHECKING:
    from pgflow.dsl import AnyStep

__all__ = ["assert_completed", "assert_failed"]


def assert_completed(run: FlowRun, *steps: AnyStep | str) -> None:
    """Make sure that a run has completed; or where steps are named that these have, whatever became of the run.

    The error that is raised otherwise says what became of each step, and its cause is what a handler raised, if
    `run_flow` has driven the run.

    :raises AssertionError: the run has not, or one of the steps.
    :raises UnknownStepError: the run has no such step.
    """
    __tracebackhide__ = True
    if steps:
        missed = [step.slug for step in map(run.step, steps) if step.status is not StepStatus.COMPLETED]
        if missed:
            raise AssertionError(f"not completed: {', '.join(missed)}\n{_account(run)}") from _cause(run)
    elif run.status is not RunStatus.COMPLETED:
        raise AssertionError(_account(run)) from _cause(run)


def assert_failed(run: FlowRun, step: AnyStep | str | None = None, *, match: str = "") -> None:
    """Make sure that a run has failed, at a step if that is named, with an error in which a pattern is found.

    :param match: a regular expression, searched for as by `re.search` in ``Type: message``.
    :raises AssertionError: it has completed, or failed elsewhere or otherwise; the error says what became of each step.
    :raises UnknownStepError: the run has no such step.
    """
    __tracebackhide__ = True
    if run.status is not RunStatus.FAILED:
        raise AssertionError(f"not failed\n{_account(run)}")
    failed = None if step is None else run.step(step)
    if failed is not None and failed.status is not StepStatus.FAILED:
        raise AssertionError(f"not failed at step {failed.slug!r}\n{_account(run)}") from _cause(run)
    message = (run if failed is None else failed).error_message or ""
    if not re.search(match, message):
        raise AssertionError(f"failed with {message!r}, where {match!r} is not found\n{_account(run)}") from _cause(run)


def _account(run: FlowRun) -> str:
    """What became of a run and of each of its steps, one a line."""
    steps = run.steps
    flow = run._values.flow
    order = list(steps) if flow is None else [slug for slug in flow.steps if slug in steps]
    width = max(map(len, order), default=0)
    error = f": {run.error_message}" if run.error_message else ""
    return "\n".join(
        [f"{run._name} is {run.status}{error}", *(f"  {slug:<{width}}  {_fate(steps[slug])}" for slug in order)]
    )


def _fate(step: FlowStep[object]) -> str:
    run = step.run
    calls = len(run.attempts_at(step.slug)) if isinstance(run, DrivenRun) else 0
    words = f"{step.status}, {calls} calls" if calls > 1 else str(step.status)
    return f"{words}: {step.error_message}" if step.error_message else words


def _cause(run: FlowRun) -> Exception | None:
    """What a handler raised last."""
    attempts = run.attempts if isinstance(run, DrivenRun) else ()
    return next((attempt.error for attempt in reversed(attempts) if attempt.error is not None), None)
