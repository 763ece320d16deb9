"""What the pairs guard, taken out of the engine: the same two operations that went well before go wrong then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import frozen
from pytest_postgresql.executors import NoopExecutor

from tests.interleavings import operations as do
from tests.interleavings import scenarios
from tests.interleavings.meeting import Arena
from tests.interleavings.operations import Operation
from tests.interleavings.scenarios import Scenario
from tests.plugins.databases import own_database
from tests.plugins.mutations import rewrite


@frozen
class Mutation:
    """An engine that says something else in one place, and where that shows.

    :param sign: what one of the complaints says
    """

    name: str
    function: str
    text: str
    other: str
    scenario: Scenario
    first: Operation
    second: Operation
    sign: str = "and not"

    def __str__(self) -> str:
        return self.name


MUTATIONS = [
    Mutation(
        "a completion does not lock the run",
        "_complete_one",
        "for no key update",
        "",
        scenarios.DIAMOND,
        do.complete("b"),
        do.complete("c"),
        "remaining_deps counts the dependencies that are not completed",
    ),
    Mutation(
        "failures lock the runs in another order than completions",
        "fail_tasks",
        "order by r.run_id",
        "order by r.run_id desc",
        scenarios.TWO_RUNS,
        do.complete_batch("a", "second a"),
        do.fail_batch("second a", "a", permanent=True),
        "deadlock detected",
    ),
    Mutation(
        "a completion does not compare tokens",
        "_complete_one",
        "(p_token is null or t.token = p_token)",
        "true",
        scenarios.LATE_REPORT,
        do.complete("a"),
        do.complete("late a"),
    ),
    Mutation(
        "a claim waits for tasks",
        "_start_tasks",
        "for update skip locked",
        "for update",
        scenarios.LOST_LEASES,
        do.CLAIM,
        do.complete_batch("b", "a"),
        "deadlock detected",
    ),
    Mutation(
        "a failure does not lock the run",
        "_fail_one",
        "for no key update",
        "",
        scenarios.LAST_STEPS,
        do.fail("b", permanent=True),
        do.fail("a", permanent=True),
    ),
    Mutation(
        "a deletion does not lock the runs",
        "delete_flow",
        "perform from pgflow.runs as r where r.flow_slug = p_flow_slug order by r.run_id for update;",
        "",
        scenarios.CHAIN,
        do.DELETE_FLOW,
        do.complete("a"),
        "deadlock detected",
    ),
    Mutation(
        "a run is completed twice",
        "_complete_run",
        "where r.run_id = p_run_id and r.status = 'started'",
        "where r.run_id = p_run_id",
        scenarios.FORGOTTEN_RUN,
        do.COMPLETE_THE_RUN,
        do.COMPLETE_THE_RUN,
        "the events are",
    ),
    Mutation(
        "a step is added without the lock of its flow",
        "add_step",
        "perform pg_advisory_xact_lock(hashtextextended('pgflow.flow:' || lower(add_step.flow_slug), 0));",
        "",
        scenarios.CHAIN,
        do.ADD_STEP,
        do.DELETE_FLOW,
        "violates foreign key constraint",
    ),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    shown = MUTATIONS if metafunc.config.getoption("--proof") else MUTATIONS[:3]
    metafunc.parametrize("mutation", shown, ids=str)


@pytest.fixture
def scratch(template: NoopExecutor) -> Iterator[Arena]:
    """An arena to be spoilt."""
    with own_database(template) as dsn:
        arena = Arena(dsn)
        yield arena
        arena.clear()
        arena.close()


def test_what_was_taken_out_is_missed(scratch: Arena, mutation: Mutation) -> None:
    assert scratch.complaints(mutation.scenario, mutation.first, mutation.second) == []

    rewrite(scratch.observer.connection, mutation.function, mutation.text, mutation.other)

    wrong = scratch.complaints(mutation.scenario, mutation.first, mutation.second)
    assert any(mutation.sign in each for each in wrong), wrong
