"""What must be true of any history, however much was killed in it; each violation is a sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from tests.chaos.flows import BOOKING_STEP, Plan
from tests.chaos.history import GAVE_UP, Attempt, Change, History, RunRow, Task, TaskChange
from tests.chaos.leases import lost_leases

_RUN_LIVES = {(None, "started"), ("started", "completed"), ("started", "failed")}
_STEP_LIVES = _RUN_LIVES | {
    (None, "created"),
    ("created", "started"),
    ("created", "completed"),
    ("created", "cancelled"),
    ("started", "cancelled"),
}
_TASK_LIVES = {
    (None, "queued"),
    ("queued", "started"),
    ("queued", "cancelled"),
    ("started", "started"),
    ("started", "queued"),
    ("started", "completed"),
    ("started", "failed"),
    ("started", "cancelled"),
}
_MAY_REPEAT = {("queued", "started"), ("started", "started"), ("started", "queued")}
_TERMINAL = {"completed", "failed", "cancelled"}

#: What a task may become by which report.
_RESULTS = {"complete": {"completed", "failed"}, "fail": {"queued", "failed"}, "release": {"queued"}}


def violations(history: History, plans: Sequence[Plan]) -> list[str]:
    """Return everything that is wrong."""
    return [
        *outcomes(history, plans),
        *transitions(history),
        *attempts(history),
        *events(history),
        *reports(history),
        *lost_leases(history),
        *effects(history),
        *leftovers(history),
    ]


def outcomes(history: History, plans: Sequence[Plan]) -> Iterator[str]:
    """Every plan has one run, with the status, output and error that it has to have."""
    by_number = defaultdict(list)
    for run in history.runs:
        by_number[run.input["number"]].append(run)
    for plan in plans:
        found = by_number.pop(plan.number, [])
        if len(found) != 1:
            yield f"plan {plan.number} of {plan.flow.slug} has {len(found)} runs: {[str(run.run_id) for run in found]}"
        for run in found:
            yield from _outcome(run, plan)
    for number, strays in by_number.items():
        yield f"nobody planned the {len(strays)} runs with number {number}"


def _outcome(run: RunRow, plan: Plan) -> Iterator[str]:
    gave_up = plan.used_up is not None and (run.error_message or "").startswith(f"{GAVE_UP} {plan.used_up} attempts")
    wanted = "failed" if plan.error is not None else "completed"
    if run.status != wanted:
        yield f"{plan.flow.slug} run {run.run_id} is {run.status}, and not {wanted}: {run.error_message}"
    elif run.output != plan.output:
        yield f"{plan.flow.slug} run {run.run_id} has output {run.output}, and not {plan.output}"
    elif run.error_message != plan.error and not gave_up:
        yield f"{plan.flow.slug} run {run.run_id} failed with {run.error_message!r}, and not {plan.error!r}"


def transitions(history: History) -> Iterator[str]:
    """Every run, step and task moved as it may, each transition once, to the state that its table shows."""
    for run in history.runs:
        yield from _life(f"run {run.run_id}", history.run_changes.get(run.run_id, ()), _RUN_LIVES, run.status)
    for (run_id, slug), step in history.steps.items():
        changes = history.step_changes.get((run_id, slug), ())
        yield from _life(f"step {slug} of run {run_id}", changes, _STEP_LIVES, step.status)
    for task, row in history.tasks.items():
        yield from _life(_name(task), history.task_changes.get(task, ()), _TASK_LIVES, row.status)


def _life(
    name: str, changes: Sequence[Change | TaskChange], allowed: set[tuple[str | None, str]], end: str
) -> Iterator[str]:
    moves = [(change.before, change.after) for change in changes]
    for move, times in Counter(moves).items():
        if move not in allowed:
            yield f"{name} went from {move[0]} to {move[1]}"
        elif times > 1 and move not in _MAY_REPEAT:
            yield f"{name} went from {move[0]} to {move[1]} {times} times"
    states = [None, *(after for _, after in moves)]
    if [before for before, _ in moves] != states[:-1]:
        yield f"{name} did not go from each state to the next: {moves}"
    if states[-1] != end:
        yield f"{name} is {end}, but its last transition was to {states[-1]}"
    if end not in _TERMINAL:
        yield f"{name} never ended: it is {end}"


def attempts(history: History) -> Iterator[str]:
    """Attempts are counted as they were made, hand-backs taken off; tokens only grow; steps have all their tasks."""
    for task, row in history.tasks.items():
        made, token = 0, 0
        for change in history.task_changes.get(task, ()):
            if change.starts:
                made += 1
                if change.token <= token:
                    yield f"{_name(task)} started under token {change.token} after it had {token}"
            elif change.after == "queued" and change.attempts_count < made:
                made -= 1
            if change.attempts_count != made:
                yield f"{_name(task)} says {change.attempts_count} attempts when {made} were made"
                break
            token = change.token
        if (row.attempts_count, row.token) != (made, token):
            yield f"{_name(task)} ends with {row.attempts_count} attempts and token {row.token}, not {made} and {token}"
    spawned = Counter((task.run_id, task.step_slug) for task in history.tasks)
    for (run_id, slug), step in history.steps.items():
        if step.status == "completed" and step.initial_tasks != spawned[run_id, slug]:
            yield f"step {slug} of run {run_id} had {spawned[run_id, slug]} tasks and says {step.initial_tasks}"


def events(history: History) -> Iterator[str]:
    """Each transition that has an event sent it once, with what the table says, and in causal order."""
    steps_of: dict[UUID, list[str]] = defaultdict(list)
    for run_id, slug in history.steps:
        steps_of[run_id].append(slug)
    for run in history.runs:
        sent = history.events.get(run.run_id, ())
        names = [event.name for event in sent]
        wanted = [f"run:{change.after}" for change in history.run_changes.get(run.run_id, ())]
        for slug in steps_of[run.run_id]:
            moves = [change.after for change in history.step_changes.get((run.run_id, slug), ())]
            wanted += [f"{slug}:{after}" for after in moves if after not in ("created", "cancelled")]
        if Counter(names) != Counter(wanted):
            lacking, excess = Counter(wanted) - Counter(names), Counter(names) - Counter(wanted)
            yield f"run {run.run_id} lacks the events {dict(lacking)} and has {dict(excess)} too many"
            continue
        if names[0] != "run:started" or names[-1] != f"run:{run.status}":
            yield f"the events of run {run.run_id} are not between its start and its end: {names}"
        for dep, slug in history.deps.get(run.flow_slug, ()):
            first = min(
                (names.index(name) for name in (f"{slug}:started", f"{slug}:completed") if name in names), default=None
            )
            if first is not None and names.index(f"{dep}:completed") > first:
                yield f"run {run.run_id} sent {names[first]} before {dep}:completed"
        for event in sent:
            yield from _payload(history, run, event.name, dict(event.payload))


def _payload(history: History, run: RunRow, name: str, payload: dict[str, object]) -> Iterator[str]:
    slug, _, kind = name.rpartition(":")
    row = run if slug == "run" else history.steps[run.run_id, slug]
    wanted = {"completed": ("output", row.output), "failed": ("error_message", row.error_message)}.get(kind)
    if wanted is not None and payload.get(wanted[0]) != wanted[1]:
        yield f"{name} of run {run.run_id} says {payload}, and the table {wanted[1]!r}"


def reports(history: History) -> Iterator[str]:
    """Only the attempt that held the task changed it: what the fence is for.

    A report that a worker was told is accepted has made a transition, during the call, of a task that bore its token
    then. And every transition that takes a report was asked for by one, under the token of the task at that time.
    """
    asked = [call for call in history.calls if call.kind in _RESULTS]
    for call in asked:
        for attempt in call.accepted:
            said = f"{_name(attempt.task)}: a {call.kind} under token {attempt.token} was accepted"
            made = [
                change
                for change in history.task_changes.get(attempt.task, ())
                if change.before == "started"
                and change.after in _RESULTS[call.kind]
                and call.began <= change.at <= (call.ended or change.at)
            ]
            if not made:
                yield f"{said} and changed nothing"
            elif all(change.token != attempt.token for change in made):
                yield f"{said} when the task's was {made[0].token}"
    for change in _reported(history):
        by_its_holder = any(
            call.kind in _RESULTS and call.began <= change.at and change.after in _RESULTS[call.kind]
            for call in history.calls_about.get(Attempt(change.task, change.token), [])
        )
        if not by_its_holder:
            yield f"{_name(change.task)} became {change.after} under token {change.token}, and its holder never said so"


def _reported(history: History) -> Iterable[TaskChange]:
    """The transitions that take a report of the task's holder."""
    for changes in history.task_changes.values():
        for change in changes:
            taken = change.before == "started" and change.after in ("completed", "failed", "queued")
            if taken and not change.follows_a_lost_lease:
                yield change


def effects(history: History) -> Iterator[str]:
    """What a handler wrote in the transaction of its task's completion is there once for each task that completed."""
    written = Counter(history.effects)
    wanted = Counter(
        f"{task.run_id}:{task.step_slug}:{task.task_index}"
        for task, row in history.tasks.items()
        if task.step_slug == BOOKING_STEP and row.status == "completed"
    )
    for key in written.keys() | wanted.keys():
        if written[key] != wanted[key]:
            yield f"task {key} wrote {written[key]} rows where it had to leave {wanted[key]}"


def leftovers(history: History) -> Iterator[str]:
    """Nothing is left in queues and archives, and the engine finds itself sound."""
    for table, count in history.messages.items():
        if count:
            yield f"{count} messages are left in {table}"
    for invariant in history.invariants:
        yield f"check_invariants(): {invariant}"


def _name(task: Task) -> str:
    return f"task {task.step_slug}[{task.task_index}] of run {task.run_id}"
