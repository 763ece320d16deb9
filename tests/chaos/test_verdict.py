"""The verdict finds whatever is wrong with a history, and nothing in one that is right."""

from __future__ import annotations

from uuid import UUID

import pytest
from attrs import evolve

from tests.chaos import verdict
from tests.chaos.crafted import FIRST, LAST, PLAN, RUN, A, B, call, change, sound
from tests.chaos.flows import BOOKING_STEP, Plan, booked, exhausted
from tests.chaos.history import Attempt, Call, Change, Event, History, RunRow, Task, TaskRow

BEGUN, DONE = Change(None, "started"), Change("started", "completed")


def found(history: History, plan: Plan = PLAN) -> list[str]:
    return verdict.violations(history, [plan])


def test_a_sound_history_has_no_violation() -> None:
    assert found(sound()) == []


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        (RunRow(RUN, "chain", {"number": 7}, "completed", {"last": 16}), "has output"),
        (RunRow(RUN, "chain", {"number": 7}, "failed", None, "no"), "is failed, and not completed"),
        (RunRow(RUN, "chain", {"number": 7}, "started"), "is started, and not completed"),
        (RunRow(RUN, "chain", {"number": 8}, "completed", {"last": 15}), "has 0 runs"),
    ],
)
def test_every_run_has_the_outcome_that_was_planned(run: RunRow, complaint: str) -> None:
    history = sound()
    history.runs = [run]

    assert any(complaint in each for each in verdict.outcomes(history, [PLAN]))


def test_a_plan_has_one_run_and_a_run_has_a_plan() -> None:
    history = sound()
    history.runs = [*history.runs, evolve(history.runs[0], run_id=UUID(int=2))]

    assert "has 2 runs" in next(verdict.outcomes(history, [PLAN]))
    assert "nobody planned the 2 runs" in next(verdict.outcomes(history, []))


def test_where_the_last_attempt_was_lost_the_engine_may_say_so() -> None:
    plan = Plan(exhausted, {"number": 7}, error="RuntimeError: no luck with 7", used_up=2)
    history = sound()

    def outcome(error: str) -> list[str]:
        history.runs = [RunRow(RUN, "exhausted", {"number": 7}, "failed", None, error)]
        return list(verdict.outcomes(history, [plan]))

    assert outcome("RuntimeError: no luck with 7") == []
    assert outcome("gave up after 2 attempts: each was started by a worker that …") == []
    assert outcome("gave up after 1 attempts: each was started by a worker that …") != []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            [Change(None, "started"), Change("started", "completed"), Change("completed", "failed")],
            "completed to failed",
        ),
        ([Change(None, "started"), *[Change("started", "completed")] * 2], "2 times"),
        ([Change("started", "completed")], "from each state to the next"),
        ([Change(None, "started")], "is completed, but its last transition was to started"),
    ],
)
def test_a_run_makes_each_transition_once(changes: list[Change], complaint: str) -> None:
    history = sound()
    history.run_changes = {RUN: changes}

    assert any(complaint in each for each in verdict.transitions(history))


def test_what_is_not_terminal_has_been_lost() -> None:
    history = sound()
    history.tasks = {**history.tasks, LAST: TaskRow("started", 2, 2)}

    assert any("never ended" in each for each in verdict.transitions(history))


def test_attempts_are_counted_as_they_were_made() -> None:
    history = sound()
    history.tasks = {**history.tasks, FIRST: TaskRow("completed", 2, 3)}

    assert any("ends with 3 attempts" in each for each in verdict.attempts(history))


def test_a_handed_back_attempt_does_not_count() -> None:
    history = sound()
    history.task_changes = {
        **history.task_changes,
        FIRST: [
            change(FIRST, None, "queued", 0, 0, None, 0.0),
            change(FIRST, "queued", "started", 1, 1, A, 0.1),
            change(FIRST, "started", "queued", 1, 0, A, 0.2),
            change(FIRST, "queued", "started", 2, 1, A, 0.3),
            change(FIRST, "started", "completed", 2, 1, A, 0.4),
        ],
    }
    history.tasks = {**history.tasks, FIRST: TaskRow("completed", 2, 1)}

    assert list(verdict.attempts(history)) == []


def test_a_token_is_never_used_again() -> None:
    history = sound()
    history.task_changes = {
        **history.task_changes,
        LAST: [evolve(each, token=min(each.token, 1)) for each in history.task_changes[LAST]],
    }

    assert any("started under token 1 after it had 1" in each for each in verdict.attempts(history))


def test_a_completed_step_has_all_its_tasks() -> None:
    history = sound()
    history.tasks = {LAST: history.tasks[LAST]}

    assert any("had 0 tasks and says 1" in each for each in verdict.attempts(history))


def test_each_event_is_sent_once() -> None:
    history = sound()
    sent = list(history.events[RUN])
    for wrong in (sent[:-1], [*sent, sent[-1]], [*sent, Event("last:cancelled", {})]):
        history.events = {RUN: wrong}
        assert any("lacks the events" in each for each in verdict.events(history))


def test_events_come_in_causal_order() -> None:
    history = sound()
    started, first_started, first_completed, last_started, last_completed, completed = history.events[RUN]

    history.events = {RUN: [started, first_started, last_started, first_completed, last_completed, completed]}
    assert any("sent last:started before first:completed" in each for each in verdict.events(history))
    history.events = {RUN: [started, first_started, first_completed, last_started, completed, last_completed]}
    assert any("not between its start and its end" in each for each in verdict.events(history))


def test_events_say_what_the_tables_say() -> None:
    history = sound()
    history.events = {RUN: [*history.events[RUN][:-1], Event("run:completed", {"output": {"last": 16}})]}

    assert any("and the table" in each for each in verdict.events(history))


def test_an_accepted_report_carries_the_token_of_its_time() -> None:
    history = sound()
    # A is not killed but wakes, and its report is taken for the attempt of B.
    stale = call(A, "complete", LAST, 1, 3.585)
    history.calls = [*history.calls[:-1], stale, call(B, "complete", LAST, 2, 3.7, ignored=True)]

    wrong = list(verdict.reports(history))
    assert any("a complete under token 1 was accepted when the task's was 2" in each for each in wrong)
    assert any("became completed under token 2, and its holder never said so" in each for each in wrong)


def test_a_stale_report_that_is_ignored_is_as_it_should_be() -> None:
    history = sound()
    history.calls = [*history.calls, call(A, "complete", LAST, 1, 3.55, ignored=True)]

    assert found(history) == []


def test_an_accepted_report_has_changed_something() -> None:
    history = sound()
    history.calls = [*history.calls, call(A, "complete", LAST, 1, 5.0)]

    assert any("was accepted and changed nothing" in each for each in verdict.reports(history))


def test_a_report_without_an_answer_may_have_been_taken() -> None:
    history = sound()
    attempt = (Attempt(LAST, 2),)
    for unanswered in (
        Call(B, "complete", attempt, 3.59, None),
        Call(B, "complete", attempt, 3.59, 3.7, answered=False),
    ):
        history = sound()
        history.calls = [*history.calls[:-1], unanswered]
        assert found(history) == []


def test_a_row_is_there_once_for_each_task_that_completed() -> None:
    booking = Task(RUN, "book", 0)
    history = sound()
    history.tasks = {booking: TaskRow("completed", 1, 1), Task(RUN, "book", 1): TaskRow("cancelled", 1, 1)}
    assert BOOKING_STEP in booked.steps

    for rows, is_right in (([f"{RUN}:book:0"], True), ([], False), ([f"{RUN}:book:0"] * 2, False)):
        history.effects = rows
        assert (list(verdict.effects(history)) == []) is is_right
    history.effects = [f"{RUN}:book:0", f"{RUN}:book:1"]
    assert list(verdict.effects(history)) == [f"task {RUN}:book:1 wrote 1 rows where it had to leave 0"]


def test_nothing_is_left_behind() -> None:
    history = sound()
    history.messages = {"q_chain": 0, "a_chain": 2}
    history.invariants = ["(a step has tasks,…)"]

    assert list(verdict.leftovers(history)) == [
        "2 messages are left in a_chain",
        "check_invariants(): (a step has tasks,…)",
    ]
