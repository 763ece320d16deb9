"""What a session may do to a run: each operation is one call of one function of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

from attrs import field, frozen
from psycopg import errors
from psycopg.types.json import Jsonb

from tests.interleavings.stage import EXTENDED_LEASE, LATE_WORKER, LEASE, WORKER, Stage
from tests.plugins.engine import NOBODY, Engine, Task

Arguments: TypeAlias = Callable[[Stage], dict[str, Any]]
Result: TypeAlias = list[str]

DONE = "'done' as it_is"
LOST = "step_slug, task_index"
TASK = "status, output"
CLAIMED = "step_slug, task_index, attempts_count, input"
RUN = "status, input, remaining_steps"
SNAPSHOT = "(run).status, array(select s.step_slug || ' ' || s.status from unnest(steps) as s)"


@frozen
class Operation:
    """A call that a session makes.

    :param name: what it does, in a few words: "complete a"
    :param arguments: those of the call, for a stage
    :param columns: what is looked at of what it returns: nothing that differs from one run to the next
    :param skips: whether it leaves alone what somebody else holds, and comes again some time later
    :param later: what comes later in its stead
    :param claims: whether what it returns are tasks: it does not matter which of two sessions gets which
    :param redefines: whether it changes the flow
    """

    name: str
    function: str
    arguments: Arguments
    columns: str = DONE
    skips: bool = False
    later: Operation | None = field(default=None, eq=False)
    claims: bool = False
    redefines: bool = False

    def __str__(self) -> str:
        return self.name

    def perform(self, session: Engine, stage: Stage) -> Result:
        """Make the call; what it returns, or what it was refused with."""
        arguments = self.arguments(stage)
        names = ", ".join(f"{name} => %s" for name in arguments)
        try:
            rows = session.rows(f"select {self.columns} from pgflow.{self.function}({names})", *arguments.values())
        except errors.DatabaseError as error:
            session.connection.rollback()
            # A queue that is dropped under a call is a flow that is not there.
            refusal = {"42P01": "PF001"}.get(error.sqlstate or "", error.sqlstate or "")
            if not refusal.startswith("PF"):
                raise
            return [f"refused with {refusal}"]
        return sorted(str(tuple(row.values())) for row in rows)

    def perform_again(self, session: Engine, stage: Stage, told: Result) -> Result:
        """Make the call some time later, if it may have left something; what it returned in all."""
        if not self.skips:
            return told
        if self.later is not None:
            self.later.perform(session, stage)
            return told
        again = self.perform(session, stage)
        # A claim that found nothing may be refused when it comes again, and one that was refused is so again.
        return [line for line in told if line not in again or "refused" not in line] + again if self.claims else again


def _key(task: Task) -> dict[str, Any]:
    return {"run_id": task.run_id, "step_slug": task.step_slug, "task_index": task.task_index}


def _batch(stage: Stage, names: tuple[str, ...]) -> dict[str, Any]:
    # A report of no run at all: a batch of one would take the scalar path.
    tasks = [*(stage.tasks[name] for name in names), Task("", NOBODY, "", None, 0, 0, 0, 0)]
    return {
        "p_run_ids": [task.run_id for task in tasks],
        "p_step_slugs": [task.step_slug for task in tasks],
        "p_task_indexes": [task.task_index for task in tasks],
        "p_tokens": [task.token for task in tasks],
    }


# Reports


def complete(task: str, output: Any = 1) -> Operation:
    """Report a result by itself."""
    return Operation(
        f"complete {task}" if output == 1 else f"complete {task} with {output}",
        "complete_task",
        lambda stage: {**_key(stage.tasks[task]), "output": Jsonb(output), "token": stage.tasks[task].token},
        TASK,
    )


def complete_batch(*tasks: str, output: Any = 1) -> Operation:
    """Report results on the set-based path."""
    return Operation(
        f"complete {' and '.join(tasks)} in a batch" + ("" if output == 1 else f" with {output}"),
        "complete_tasks",
        lambda stage: {**_batch(stage, tasks), "p_outputs": [Jsonb(output)] * (len(tasks) + 1)},
        LOST,
    )


def fail(task: str, *, permanent: bool = False) -> Operation:
    """Report a failure by itself."""
    return Operation(
        f"fail {task}{' for good' if permanent else ''}",
        "fail_task",
        lambda stage: {
            **_key(stage.tasks[task]),
            "error_message": "it broke",
            "token": stage.tasks[task].token,
            "permanent": permanent,
        },
        TASK,
    )


def fail_batch(*tasks: str, permanent: bool = False) -> Operation:
    """Report failures in one call."""
    return Operation(
        f"fail {' and '.join(tasks)} in a batch{' for good' if permanent else ''}",
        "fail_tasks",
        lambda stage: {
            **_batch(stage, tasks),
            "p_error_messages": ["it broke"] * (len(tasks) + 1),
            "p_permanent": [permanent] * (len(tasks) + 1),
            "p_retry_delays": [None] * (len(tasks) + 1),
            "p_tracebacks": [None] * (len(tasks) + 1),
        },
        LOST,
    )


def hand_back(*tasks: str) -> Operation:
    """Release tasks unfinished."""
    return Operation(
        f"hand back {' and '.join(tasks)}", "release_tasks", lambda stage: _batch(stage, tasks), columns=LOST
    )


def extend(*tasks: str) -> Operation:
    """Extend leases."""
    return Operation(
        f"extend {' and '.join(tasks)}",
        "extend_leases",
        lambda stage: {**_batch(stage, tasks), "p_lease": EXTENDED_LEASE},
        LOST,
        skips=True,
    )


def every_report(task: str) -> tuple[Operation, ...]:
    """All that the holder of a task may say of it."""
    return (
        complete(task),
        complete_batch(task),
        fail(task),
        fail(task, permanent=True),
        fail_batch(task),
        hand_back(task),
        extend(task),
    )


# Claims


def _claim(name: str, function: str, arguments: Arguments) -> Operation:
    return Operation(name, function, arguments, CLAIMED, skips=True, claims=True)


CLAIM = _claim(
    "claim",
    "claim_tasks",
    lambda _: {"p_flow_slugs": ["flow"], "p_qty": 10, "p_lease": LEASE, "p_worker_id": WORKER},
)
POLL = _claim(
    "poll", "poll_for_tasks", lambda _: {"queue_name": "flow", "vt": int(LEASE), "qty": 10, "max_poll_seconds": 0}
)
CLAIM_OF_THE_RUN = _claim(
    "claim of the run", "claim_run_tasks", lambda stage: {"p_run_id": stage.run, "p_lease": LEASE}
)
START_WHAT_WAS_READ = _claim(
    "start what was read",
    "start_tasks",
    lambda stage: {"flow_slug": "flow", "msg_ids": stage.messages, "worker_id": WORKER},
)

# Starts and reads

START_BY_KEY = Operation(
    "start by a key",
    "start_flow",
    lambda _: {"flow_slug": "flow", "input": Jsonb("by key"), "idempotency_key": "key"},
    RUN,
)
START_AGAIN = Operation(
    "start the run again",
    "start_flow_with_states",
    lambda stage: {"p_flow_slug": "flow", "p_input": Jsonb("first"), "p_run_id": stage.run},
    SNAPSHOT,
)
START_MANY = Operation(
    "start many",
    "start_flows",
    lambda _: {"p_flow_slug": "flow", "p_inputs": [Jsonb("many"), Jsonb("more")]},
    "status, remaining_steps",
)
WATCH = Operation("watch", "watch_run", lambda stage: {"run_id": stage.run}, SNAPSHOT)
WATCH_ALL = Operation(
    "watch all", "watch_runs", lambda stage: {"p_run_ids": list(reversed(stage.runs.values()))}, SNAPSHOT
)
SNAPSHOT_OF_ONE = Operation("read the run", "get_run_with_states", lambda stage: {"p_run_id": stage.run}, SNAPSHOT)
SNAPSHOT_OF_ALL = Operation(
    "read all runs", "get_runs_with_states", lambda stage: {"p_run_ids": list(stage.runs.values())}, SNAPSHOT
)
STATUSES = Operation(
    "read the statuses",
    "get_run_statuses",
    lambda stage: {"p_run_ids": list(stage.runs.values())},
    "status, version",
)
CHECK = Operation("check the invariants", "check_invariants", lambda _: {}, "invariant")
START_READY_STEPS = Operation("start ready steps", "start_ready_steps", lambda stage: {"run_id": stage.run})
COMPLETE_THE_RUN = Operation("complete the run", "maybe_complete_run", lambda stage: {"run_id": stage.run})

# Definitions

CREATE_FLOW = Operation("create the flow", "create_flow", lambda _: {"flow_slug": "flow"}, "flow_slug", redefines=True)
ADD_STEP = Operation(
    "add a step", "add_step", lambda _: {"flow_slug": "flow", "step_slug": "new"}, "step_slug", redefines=True
)
ENSURE_FLOW = Operation(
    "define the flow with other options",
    "ensure_flow",
    lambda stage: {"p_definition": stage.definition(max_attempts=5)},
    redefines=True,
)
REPLACE_FLOW = Operation(
    "replace the flow",
    "ensure_flow",
    lambda stage: {"p_definition": stage.definition(), "p_replace": True},
    redefines=True,
)
CHECK_FLOW = Operation("compare the flow", "check_flow", lambda stage: {"p_definition": stage.definition()})
DELETE_FLOW = Operation("delete the flow", "delete_flow", lambda _: {"p_flow_slug": "flow"}, redefines=True)

# Workers


def _register(name: str, worker: UUID, *, skips: bool = True) -> Operation:
    return Operation(
        name,
        "register_worker",
        lambda _: {"p_worker_id": worker, "p_queue_name": "flow", "p_function_name": "main"},
        skips=skips,
        later=_NEW_WORKER if skips else None,
    )


def _heartbeat(name: str, worker: UUID) -> Operation:
    return Operation(
        name,
        "heartbeat_worker",
        lambda _: {"p_worker_id": worker},
        "heartbeat_worker",
        skips=True,
        later=_NEW_WORKER,
    )


# Whom one worker leaves to be forgotten later, the next that comes forgets.
_NEW_WORKER = _register("register a new worker", UUID(int=3), skips=False)
REGISTER = _register("register the worker again", WORKER)
REGISTER_LATE = _register("register the late worker again", LATE_WORKER)
HEARTBEAT = _heartbeat("heartbeat", WORKER)
LATE_HEARTBEAT = _heartbeat("late heartbeat", LATE_WORKER)
STOP = Operation("stop the worker", "stop_worker", lambda _: {"p_worker_id": WORKER})
SLEEP = Operation(
    "go to sleep", "sleep_on_queues", lambda _: {"p_worker_id": WORKER, "p_flow_slugs": ["flow"], "p_seconds": LEASE}
)
LIST_WORKERS = Operation("list the workers", "get_workers", lambda _: {}, "worker_id, status, running_tasks")

CLAIMS = (CLAIM, POLL, CLAIM_OF_THE_RUN)
STARTS = (START_BY_KEY, START_AGAIN, START_MANY)
READS = (WATCH, WATCH_ALL, SNAPSHOT_OF_ONE, SNAPSHOT_OF_ALL, STATUSES, CHECK)
BY_HAND = (START_READY_STEPS, COMPLETE_THE_RUN)
DEFINITIONS = (CREATE_FLOW, ADD_STEP, ENSURE_FLOW, REPLACE_FLOW, CHECK_FLOW, DELETE_FLOW)
WORKERS = (REGISTER, REGISTER_LATE, HEARTBEAT, LATE_HEARTBEAT, STOP, SLEEP, LIST_WORKERS)
