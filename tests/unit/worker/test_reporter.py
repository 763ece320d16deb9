"""How reports are batched, kept and judged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from attrs import evolve

from pgflow.models import Completion, Failure, Release, TaskKey, TaskRecord
from pgflow.worker.inflight import Attempt, InFlight
from pgflow.worker.outages import Health
from pgflow.worker.reporter import Reporter
from pgflow.worker.steps import KnownStep
from tests.plugins.waiting import until
from tests.unit.worker.scripted import STEP, Scripted, attempt, done


class Setup:
    def __init__(self) -> None:
        self.processor = Scripted()
        self.inflight = InFlight(100)
        self.progress: list[bool] = []
        self.reporter = Reporter(self.processor, self.inflight, Health().link("reporting"), self.progress.append)
        self.thread = threading.Thread(target=self.reporter.run)

    def ended(self, output: object = "fine", step: KnownStep = STEP) -> Attempt:
        one = attempt(step)
        self.inflight.begin(one)
        self.inflight.settle(one, done(one, output))
        self.reporter.put(one)
        return one

    def undone(self) -> Attempt:
        one = attempt()
        self.inflight.begin(one)
        self.inflight.settle(one, Release(one.record.key))
        self.reporter.put(one)
        return one

    def failed(self, message: str = "Error") -> Attempt:
        one = attempt()
        self.inflight.begin(one)
        self.inflight.settle(one, Failure(one.record.key, message))
        self.reporter.put(one)
        return one


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    yield made
    made.reporter.give_up()
    made.reporter.finish()
    if made.thread.ident is not None:
        made.thread.join(10)
        assert not made.thread.is_alive()


def test_a_report_goes_out_at_once_and_what_ends_meanwhile_is_the_next_batch(setup: Setup) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    def complete(completions: Sequence[Completion]) -> list[TaskKey]:
        under_way.set()
        assert go_on.wait(10)
        return []

    setup.processor.complete = complete
    setup.thread.start()
    first = setup.ended(0)
    assert under_way.wait(10)
    others = [setup.ended(n) for n in range(1, 6)]
    go_on.set()

    assert setup.inflight.wait_until_idle(10)
    assert setup.processor.reports == [[first.report], [other.report for other in others]]


def test_falsy_results_are_reported_as_they_are(setup: Setup) -> None:
    outputs = [0, False, "", [], {}, None]
    setup.thread.start()
    for output in outputs:
        setup.ended(output)

    assert setup.inflight.wait_until_idle(10)
    reported = [
        report.output for batch in setup.processor.reports for report in batch if isinstance(report, Completion)
    ]
    assert list(map(repr, reported)) == list(map(repr, outputs))


def test_results_outlive_an_outage_and_are_no_failures(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    answers = [psycopg.OperationalError("gone"), psycopg.InterfaceError("closed"), None]

    def complete(completions: Sequence[Completion]) -> list[TaskKey]:
        answer = answers.pop(0) if answers else None
        if answer:
            raise answer
        return []

    setup.processor.complete = complete
    with caplog.at_level(logging.INFO):
        setup.thread.start()
        one = setup.ended("precious")
        assert setup.inflight.wait_until_idle(10)

    assert setup.processor.count("fail") == 0
    assert setup.processor.reports == [[one.report]] * 3
    assert one.report == done(one, "precious")
    assert len([line for line in caplog.records if line.levelno >= logging.INFO]) == 2


def test_a_result_that_cannot_be_stored_fails_alone_and_for_good(setup: Setup) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    def complete(completions: Sequence[Completion]) -> list[TaskKey]:
        if not under_way.is_set():
            under_way.set()
            assert go_on.wait(10)
        if any(completion.output == "too much" for completion in completions):
            raise psycopg.errors.ProgramLimitExceeded("total size of jsonb array elements exceeds the maximum")
        return []

    setup.processor.complete = complete
    setup.thread.start()
    setup.ended("opens the way")
    assert under_way.wait(10)
    good, bad, good_too = setup.ended("good"), setup.ended("too much"), setup.ended("good too")
    go_on.set()

    assert setup.inflight.wait_until_idle(10)
    message = (
        "the result cannot be stored: ProgramLimitExceeded: total size of jsonb array elements exceeds the maximum"
    )
    assert [good.report] in setup.processor.reports
    assert [good_too.report] in setup.processor.reports
    assert [Failure(bad.record.key, message, permanent=True)] in setup.processor.reports
    assert setup.processor.count("fail") == 1


def test_a_failure_that_cannot_be_stored_either_is_left_to_the_lease(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(failures: Sequence[Failure]) -> list[TaskKey]:
        raise psycopg.errors.InvalidTextRepresentation("no")

    setup.processor.fail = refuse
    setup.thread.start()
    setup.failed()

    assert setup.inflight.wait_until_idle(10)
    assert "left to the lease" in caplog.text
    setup.processor.fail = lambda failures: []
    setup.failed("the next one")
    assert setup.inflight.wait_until_idle(10)


def test_a_late_result_is_noted_and_nothing_more(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    setup.processor.complete = lambda completions: [completion.key for completion in completions]
    with caplog.at_level(logging.INFO):
        setup.thread.start()
        one = setup.ended()
        assert setup.inflight.wait_until_idle(10)

    assert one.name in caplog.text
    assert setup.processor.count("fail") == 0


def test_a_result_that_was_claimed_anew_meanwhile_is_reported_again_under_that_claim(setup: Setup) -> None:
    claimed: list[TaskRecord] = []

    def complete(completions: Sequence[Completion]) -> list[TaskKey]:
        if claimed:
            return []
        record = setup.inflight.held()[0].record
        claimed.append(evolve(record, token=record.token + 1))
        setup.inflight.adopt(claimed[0])
        return [completions[0].key]

    setup.processor.complete = complete
    setup.thread.start()
    setup.ended("result")

    assert setup.inflight.wait_until_idle(10)
    assert [batch[0].key.token for batch in setup.processor.reports] == [1, 2]
    assert setup.processor.reports[1] == [Completion(claimed[0].key, "result")]


def test_the_claimer_hears_of_reports_that_may_have_made_tasks(setup: Setup) -> None:
    leaf = evolve(STEP, feeds_others=False)
    setup.thread.start()

    setup.ended(step=leaf)
    assert setup.inflight.wait_until_idle(10)
    assert setup.progress == []

    setup.ended()
    until(lambda: setup.progress == [False])

    setup.failed()
    until(lambda: setup.progress == [False, True])


def test_what_was_undone_is_handed_back_beside_the_other_reports(setup: Setup) -> None:
    setup.ended()
    setup.failed()
    undone = setup.undone()
    setup.thread.start()

    assert setup.inflight.wait_until_idle(10)
    assert setup.processor.calls == ["complete", "fail", "release"]
    assert setup.processor.released == [undone.record.key]
    until(lambda: setup.progress == [True])


def test_a_result_that_the_engine_has_already_is_passed_on_to_the_claimer_only(setup: Setup) -> None:
    setup.reporter.note(attempt())
    setup.reporter.note(attempt(evolve(STEP, feeds_others=False)))

    assert setup.progress == [False]
    assert setup.processor.calls == []


def test_it_ends_after_what_was_put_before(setup: Setup) -> None:
    attempts = [setup.ended(n) for n in range(1_200)]
    setup.reporter.finish()
    setup.reporter.run()

    assert [report for batch in setup.processor.reports for report in batch] == [one.report for one in attempts]
    assert max(map(len, setup.processor.reports)) == 500


def test_it_can_be_told_to_give_up_in_an_outage(setup: Setup) -> None:
    def gone(completions: Sequence[Completion]) -> list[TaskKey]:
        raise psycopg.OperationalError("gone")

    setup.processor.complete = gone
    setup.thread.start()
    setup.ended()
    until(lambda: setup.processor.count("complete") >= 2)

    setup.reporter.finish()
    setup.reporter.give_up()
    setup.thread.join(5)

    assert not setup.thread.is_alive()
    assert setup.inflight.unreported == 1
