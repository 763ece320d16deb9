"""The demo's two queries, against a run that is moved by the SQL functions alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from websites.progress import StepProgress, read_retries, read_steps

Connection = psycopg.Connection[Any]
FLOW = "progress-of-a-fanout"


@pytest.fixture
def run_id(connection: Connection) -> UUID:
    """A run whose fan-out of two has just begun."""
    connection.execute("select pgflow.create_flow(%s, 3, 0, 60)", [FLOW])
    connection.execute("select pgflow.add_step(%s, 'prepare')", [FLOW])
    connection.execute("select pgflow.add_step(%s, 'each', array['prepare'], step_type => 'fanout')", [FLOW])
    connection.execute("select pgflow.add_step(%s, 'all', array['each'])", [FLOW])
    (run_id,) = connection.execute("select run_id from pgflow.start_flow(%s, '{}')", [FLOW]).fetchone() or (None,)
    assert isinstance(run_id, UUID)
    start_tasks(connection)
    complete(connection, run_id, "prepare", 0, [{"url": "http://a/"}, {"url": "http://b/"}])
    return run_id


def start_tasks(connection: Connection) -> None:
    connection.execute("select pgflow.poll_for_tasks(%s, 60, 10, 0)", [FLOW])


def complete(connection: Connection, run_id: UUID, step_slug: str, task_index: int, output: Any) -> None:
    connection.execute("select pgflow.complete_task(%s, %s, %s, %s)", [run_id, step_slug, task_index, Jsonb(output)])


def fail(connection: Connection, run_id: UUID, step_slug: str, task_index: int, message: str) -> None:
    connection.execute("select pgflow.fail_task(%s, %s, %s, %s)", [run_id, step_slug, task_index, message])


def counted(step: StepProgress) -> tuple[str, str, int | None, int | None]:
    return step.step_slug, step.status, step.tasks, step.done


def test_the_steps_come_in_the_order_of_their_definition(connection: Connection, run_id: UUID) -> None:
    start_tasks(connection)
    complete(connection, run_id, "each", 1, "b")
    prepare, each, all_ = read_steps(connection, run_id)
    assert counted(prepare) == ("prepare", "completed", 1, 1)
    assert counted(each) == ("each", "started", 2, 1)
    assert all_.step_slug == "all"
    assert all_.status == "created"
    assert (prepare.is_fanout, each.is_fanout) == (False, True)
    assert prepare.seconds is not None
    assert each.seconds is not None
    assert all_.seconds is None


def test_nothing_is_a_retry_before_an_attempt_failed(connection: Connection, run_id: UUID) -> None:
    assert read_retries(connection, run_id) == []
    start_tasks(connection)
    assert read_retries(connection, run_id) == []


def test_a_failed_attempt_is_shown_until_and_after_the_task_succeeds(connection: Connection, run_id: UUID) -> None:
    start_tasks(connection)
    fail(connection, run_id, "each", 1, "answered 500\nsee the log")
    (waiting,) = read_retries(connection, run_id)
    assert str(waiting) == "http://b/: attempt 1 failed, trying again soon: answered 500 see the log"
    start_tasks(connection)
    (running,) = read_retries(connection, run_id)
    assert str(running) == "http://b/: attempt 2"
    complete(connection, run_id, "each", 1, "b")
    (done,) = read_retries(connection, run_id)
    assert str(done) == "http://b/: attempt 2 succeeded"
