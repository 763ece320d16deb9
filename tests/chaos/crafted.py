"""A small history in which everything is right, for tests to spoil.

One run of two steps: ``first`` fails once and is retried, ``last`` is lost with worker A, who was killed, and completed
by worker B. The times are in seconds from the start of the run; a lease lasts two.
"""

from __future__ import annotations

from uuid import UUID

from tests.chaos.flows import Plan, chain
from tests.chaos.history import (
    Attempt,
    Call,
    Change,
    Event,
    History,
    Mishap,
    RunRow,
    StepRow,
    Task,
    TaskChange,
    TaskRow,
)

RUN = UUID(int=1)
A, B = UUID(int=0xA), UUID(int=0xB)
FIRST, LAST = Task(RUN, "first", 0), Task(RUN, "last", 0)
PLAN = Plan(chain, {"number": 7}, {"last": 15})


def change(
    task: Task, before: str | None, after: str, token: int, attempts: int, worker: UUID | None, at: float
) -> TaskChange:
    """A transition whose transaction took a hundredth of a second before it."""
    return TaskChange(task, before, after, token, attempts, worker, at - 0.01, at)


def call(worker: UUID, kind: str, task: Task, token: int, began: float, *, ignored: bool = False) -> Call:
    """A call about one attempt that took two hundredths of a second."""
    attempt = Attempt(task, token)
    return Call(worker, kind, (attempt,), began, began + 0.02, frozenset([attempt] if ignored else []))


def sound() -> History:
    """The history, a new one for each caller."""
    started, completed = Change("created", "started"), Change("started", "completed")
    return History(
        lease=2.0,
        runs=[RunRow(RUN, "chain", {"number": 7}, "completed", {"last": 15})],
        steps={(RUN, "first"): StepRow("completed", 1, 14), (RUN, "last"): StepRow("completed", 1, 15)},
        tasks={FIRST: TaskRow("completed", 2, 2), LAST: TaskRow("completed", 2, 2)},
        deps={"chain": [("first", "last")]},
        timeouts={("chain", "first"): 300, ("chain", "last"): 300},
        run_changes={RUN: [Change(None, "started"), completed]},
        step_changes={
            (RUN, "first"): [Change(None, "started"), completed],
            (RUN, "last"): [Change(None, "created"), started, completed],
        },
        task_changes={
            FIRST: [
                change(FIRST, None, "queued", 0, 0, None, 0.0),
                change(FIRST, "queued", "started", 1, 1, A, 0.1),
                change(FIRST, "started", "queued", 1, 1, A, 0.2),
                change(FIRST, "queued", "started", 2, 2, A, 0.3),
                change(FIRST, "started", "completed", 2, 2, A, 0.4),
            ],
            LAST: [
                change(LAST, None, "queued", 0, 0, None, 0.4),
                change(LAST, "queued", "started", 1, 1, A, 0.5),
                change(LAST, "started", "started", 2, 2, B, 3.5),
                change(LAST, "started", "completed", 2, 2, B, 3.6),
            ],
        },
        events={
            RUN: [
                Event("run:started", {}),
                Event("first:started", {}),
                Event("first:completed", {"output": 14}),
                Event("last:started", {}),
                Event("last:completed", {"output": 15}),
                Event("run:completed", {"output": {"last": 15}}),
            ]
        },
        messages={"q_chain": 0, "a_chain": 0},
        calls=[
            call(A, "claim", FIRST, 1, 0.09),
            call(A, "fail", FIRST, 1, 0.19),
            call(A, "claim", FIRST, 2, 0.29),
            call(A, "complete", FIRST, 2, 0.39),
            call(A, "claim", LAST, 1, 0.49),
            call(A, "extend", LAST, 1, 1.0),
            call(B, "claim", LAST, 2, 3.49),
            call(B, "complete", LAST, 2, 3.59),
        ],
        mishaps=[Mishap("kill", frozenset([A]), 1.5)],
    )
