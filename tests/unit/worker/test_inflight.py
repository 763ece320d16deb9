from __future__ import annotations

from attrs import evolve

from pgflow.models import Failure, TaskRecord
from pgflow.worker.inflight import InFlight
from tests.unit.worker.scripted import attempt, done, task


def test_the_first_end_of_an_attempt_counts() -> None:
    inflight = InFlight(1)
    one = attempt()
    inflight.begin(one)

    assert inflight.settle(one, done(one, "result"))
    assert not inflight.settle(one, Failure(one.record.key, "timed out after 60 s"))
    assert one.report == done(one, "result")


def test_a_result_that_the_engine_has_already_is_an_end_like_another() -> None:
    told: list[str] = []
    inflight = InFlight(1, lambda: told.append("free"))
    one, late = attempt(), attempt()
    inflight.begin(one)
    inflight.begin(late)
    assert inflight.free() == 0
    inflight.hand_back()
    inflight.begin(one)

    assert inflight.settle_reported(one)
    assert told == ["free"]
    assert inflight.wait_until_idle(0)
    assert not inflight.settle_reported(one)
    assert not inflight.settle_reported(late)


def test_an_attempt_that_was_handed_back_has_no_other_end() -> None:
    inflight = InFlight(1)
    one = attempt()
    inflight.begin(one)

    assert inflight.hand_back() == [one]
    assert not inflight.settle(one, done(one))
    assert inflight.wait_until_idle(0)


def test_a_place_is_free_when_the_handler_ends_and_the_task_held_until_it_is_reported() -> None:
    inflight = InFlight(1)
    one = attempt()
    inflight.begin(one)
    assert inflight.free() == 0

    inflight.settle(one, done(one))
    assert inflight.free() == 1
    assert inflight.held() == [one]
    assert inflight.unreported == 1
    assert not inflight.wait_until_idle(0)

    inflight.reported([one], [one.report])
    assert inflight.held() == []
    assert inflight.wait_until_idle(0)


def test_a_freed_place_is_told_to_whoever_found_none_and_only_then() -> None:
    told: list[str] = []
    inflight = InFlight(2, lambda: told.append("free"))
    one, two, three = attempt(), attempt(), attempt()
    inflight.begin(one)
    assert inflight.free() == 1
    inflight.settle(one, done(one))
    assert told == []

    inflight.begin(two)
    inflight.begin(three)
    assert inflight.free() == 0
    inflight.settle(two, done(two))
    inflight.settle(three, done(three))
    assert told == ["free"]


def test_nothing_is_begun_while_results_pile_up() -> None:
    told: list[str] = []
    inflight = InFlight(2, lambda: told.append("free"))
    ended = [attempt() for _ in range(1_000)]
    for one in ended:
        inflight.begin(one)
        inflight.settle(one, done(one))
    assert inflight.free() == 0

    inflight.reported(ended[:1], [ended[0].report])
    assert told == ["free"]
    assert inflight.free() == 2


def test_a_hanging_call_in_an_executor_of_fixed_size_takes_a_place() -> None:
    told: list[str] = []
    inflight = InFlight(1, lambda: told.append("free"))
    inflight.block(1)
    assert inflight.free() == 0

    inflight.block(-1)
    assert told == ["free"]
    assert inflight.free() == 1


def newer(record: TaskRecord) -> TaskRecord:
    """The same task, claimed again."""
    return evolve(record, token=record.token + 1, attempts_count=record.attempts_count + 1)


def test_a_task_that_still_runs_here_goes_on_under_its_newer_claim() -> None:
    inflight = InFlight(2)
    one = attempt()
    inflight.begin(one)
    stale = done(one, "result")
    claimed = newer(one.record)

    assert inflight.adopt(claimed)
    assert inflight.running() == [one]
    # The handler had ended, and its report been made, just before the claim was known.
    inflight.settle(one, stale)
    assert one.report == evolve(stale, key=claimed.key)


def test_a_result_that_waits_here_is_reported_under_its_newer_claim() -> None:
    inflight = InFlight(2)
    one = attempt()
    inflight.begin(one)
    inflight.settle(one, done(one, "result"))
    sent = one.report
    claimed = newer(one.record)

    assert inflight.adopt(claimed)
    assert one.report is not None
    assert one.report.key == claimed.key
    # A report under the older one that was on its way settles nothing.
    assert inflight.reported([one], [sent]) == [one]
    assert inflight.held() == [one]


def test_the_retry_of_a_failed_attempt_is_an_attempt_of_its_own() -> None:
    inflight = InFlight(2)
    one = attempt()
    inflight.begin(one)
    inflight.settle(one, Failure(one.record.key, "ValueError: once more"))

    # The report has made the task claimable, but its answer has not been read yet.
    assert not inflight.adopt(newer(one.record))
    assert inflight.reported([one], [one.report]) == []


def test_other_tasks_and_those_that_were_lost_in_between_begin_anew() -> None:
    inflight = InFlight(2)
    one = attempt()
    inflight.begin(one)
    assert not inflight.adopt(newer(task()))

    one.lost = True
    assert not inflight.adopt(newer(one.record))
