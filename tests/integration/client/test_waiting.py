"""Waiting for a run, in each way in which it and the wait can come together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from pgflow.client import FlowClient
from pgflow.connector import PsycopgConnector
from pgflow.errors import ClientClosedError, RunFailedError, UnknownRunError, UnknownStepError, WaitTimeoutError
from pgflow.models import RunStatus, StepStatus
from tests.integration.client.listeners import Listeners, wait_until_deaf
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, Task, single
from tests.plugins.waiting import DEADLINE, meanwhile, until


@pytest.fixture(autouse=True)
def flow(engine: Engine) -> None:
    engine.define({"a": single(max_attempts=1), "b": ["a"]})


def work(engine: Engine, run_id: UUID) -> None:
    """Work one run to its end, in whatever transaction the engine's connection is."""
    while tasks := engine.call("claim_run_tasks", p_run_id=run_id, p_lease=30.0):
        for task in tasks:
            engine.complete(Task(**task))


def test_a_run_that_ends_while_it_is_awaited(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with meanwhile(run.wait) as waiting:
        listeners.wait_until_idle()
        engine.work({"b": 7})

        assert waiting.result(DEADLINE) is run
    assert (run.status, run.output, run.remaining_steps) == (RunStatus.COMPLETED, {"b": 7}, 0)
    assert run.completed_at == engine.run(run.run_id)["completed_at"]


def test_a_run_that_ends_before_it_is_awaited(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    engine.work({"b": 7})

    assert run.result(DEADLINE) == {"b": 7}


def test_a_run_that_had_ended_when_it_was_started_again(client: FlowClient, engine: Engine) -> None:
    first = client.start("flow", run_id=uuid4())
    engine.work({"b": 7})
    with FlowClient(connector=client._connector) as another:
        assert another.start("flow", run_id=first.run_id).result(DEADLINE) == {"b": 7}


def test_a_run_that_had_ended_when_it_was_found(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run_id = engine.start()
    engine.work({"b": 7})

    run = client.get_run(run_id)
    assert run.result(0) == {"b": 7}
    assert run.wait(0) is run
    assert run.step("b").result(0) == 7
    assert listeners.queries() == []


def test_a_run_that_ends_between_being_found_and_awaited(client: FlowClient, engine: Engine) -> None:
    run = client.get_run(engine.start())
    engine.work({"b": 7})

    assert run.result(DEADLINE) == {"b": 7}


def test_a_run_that_ends_between_listen_and_watch(
    client: FlowClient, engine: Engine, listeners: Listeners, connect: Callable[..., Connection]
) -> None:
    run = client.start("flow")
    other = Engine(connect(autocommit=False))
    work(other, run.run_id)
    with meanwhile(lambda: run.wait(DEADLINE)) as waiting:
        # The end has happened and nobody can see it yet: the run is locked, so that the watch waits for it.
        listeners.wait_for_statement("watch_runs")
        assert not waiting.done()
        other.connection.commit()

        assert waiting.result(DEADLINE).status is RunStatus.COMPLETED


def test_a_run_that_somebody_has_locked_delays_no_other(
    client: FlowClient, engine: Engine, listeners: Listeners, connect: Callable[..., Connection]
) -> None:
    locked, free = client.start("flow", 1), client.start("flow", 2)
    other = Engine(connect(autocommit=False))
    other.do("select from pgflow.runs where run_id = %s for update", locked.run_id)
    with meanwhile(locked.wait) as waiting:
        listeners.wait_for_statement("watch_runs")
        with meanwhile(free.wait) as other_waiting:
            until(lambda: engine.run(free.run_id)["watched"])
            work(engine, free.run_id)
            other_waiting.result(DEADLINE)
        assert not waiting.done()
        other.connection.rollback()
        work(engine, locked.run_id)

        assert waiting.result(DEADLINE).status is RunStatus.COMPLETED


def test_two_processes_may_await_one_run(dsn: str, client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with FlowClient(dsn) as other:
        same = other.get_run(run.run_id)
        with ThreadPoolExecutor(2) as executor:
            waiting = [executor.submit(each.result, DEADLINE) for each in (run, same)]
            until(lambda: len(listeners.queries()) == 2)
            listeners.wait_until_idle()
            engine.work({"b": 7})

            assert [each.result() for each in waiting] == [{"b": 7}] * 2


def test_many_threads_await_one_run_on_one_connection(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with ThreadPoolExecutor(20) as executor:
        waiting = [executor.submit(run.result, DEADLINE) for _ in range(20)]
        listeners.wait_until_idle()
        assert len(listeners.queries()) == 1
        engine.work({"b": 7})

        assert [each.result() for each in waiting] == [{"b": 7}] * 20


def test_a_run_that_fails_ends_every_wait_at_once(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with (
        meanwhile(run.wait) as waiting,
        meanwhile(run.result) as result,
        meanwhile(lambda: run.wait_for_status(RunStatus.COMPLETED)) as status,
        meanwhile(run.step("b").result) as step_result,
        meanwhile(run.step("b").wait) as step_waiting,
    ):
        listeners.wait_until_idle()
        engine.fail(engine.poll_one(), "it broke")

        assert waiting.result(DEADLINE).status is RunStatus.FAILED
        assert status.result(DEADLINE) is RunStatus.FAILED
        assert step_waiting.result(DEADLINE).status is StepStatus.CANCELLED
        for failure in (result.exception(DEADLINE), step_result.exception(DEADLINE)):
            assert isinstance(failure, RunFailedError)
            assert (failure.run, failure.step_slug, failure.error_message) == (run, "a", "it broke")
    assert run.error_message == "it broke"


def test_a_failed_run_that_is_found_says_why(client: FlowClient, engine: Engine) -> None:
    run_id = engine.start()
    engine.fail(engine.poll_one(), "it broke")

    with pytest.raises(RunFailedError, match=rf"run {run_id} of flow 'flow' failed at step 'a': it broke"):
        client.get_run(run_id).result(0)


def test_a_failure_crosses_to_another_process(client: FlowClient, engine: Engine) -> None:
    import pickle

    run = client.get_run(engine.start())
    engine.fail(engine.poll_one(), "it broke")
    with pytest.raises(RunFailedError) as caught:
        run.result(DEADLINE)

    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.step_slug, copy.run.run_id) == (str(caught.value), "a", run.run_id)


def test_a_step_is_awaited_on_its_own(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with meanwhile(run.step("a").result) as waiting:
        listeners.wait_until_idle()
        engine.complete(engine.poll_one(), [1])

        assert waiting.result(DEADLINE) == [1]
    assert run.status is RunStatus.STARTED
    assert run.step("a").completed_at is not None


def test_a_step_that_the_flow_has_not_is_unknown(client: FlowClient) -> None:
    with pytest.raises(UnknownStepError, match=r"'c'.*a, b"):
        client.start("flow").step("c")


def test_a_status_that_a_run_has_is_not_waited_for(client: FlowClient) -> None:
    assert client.start("flow").wait_for_status("started", timeout=DEADLINE) is RunStatus.STARTED


def test_what_is_no_status_is_refused(client: FlowClient) -> None:
    with pytest.raises(ValueError, match="cancelled"):
        client.start("flow").wait_for_status("cancelled")


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_wait_that_is_not_answered_in_time_says_what_it_waited_for(client: FlowClient, timeout: float) -> None:
    run = client.start("flow")
    for call in (
        lambda: run.wait(timeout),
        lambda: run.result(timeout),
        lambda: run.wait_for_status("failed", timeout=timeout),
        lambda: run.step("b").wait(timeout),
        lambda: list(run.events(timeout)),
    ):
        with pytest.raises(WaitTimeoutError, match=rf"of run {run.run_id} .* within {timeout:g} seconds"):
            call()


def test_one_may_wait_for_infinity(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    with meanwhile(lambda: run.wait(float("inf"))) as waiting:
        listeners.wait_until_idle()
        engine.work({"b": 7})

    assert waiting.result(DEADLINE).status is RunStatus.COMPLETED


def test_a_timeout_is_for_the_whole_call(client: FlowClient, engine: Engine, listeners: Listeners) -> None:
    run = client.start("flow")
    began = time.monotonic()
    with meanwhile(lambda: run.wait(0.5)) as waiting:
        listeners.wait_until_idle()
        engine.complete(engine.poll_one())  # wakes the wait, which goes on with what is left of its time

        assert isinstance(waiting.exception(DEADLINE), TimeoutError)
    assert 0.5 <= time.monotonic() - began < 5


def test_who_gives_up_can_wait_again(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    with pytest.raises(WaitTimeoutError):
        run.wait(0.01)
    engine.work({"b": 7})

    assert run.result(DEADLINE) == {"b": 7}


def test_who_gives_up_leaves_no_listen_behind(client: FlowClient, connector: PsycopgConnector, engine: Engine) -> None:
    run = client.start("flow")

    def given_up_while_it_is_watched() -> bool:
        with pytest.raises(WaitTimeoutError):
            run.wait(0.02)
        return bool(engine.run(run.run_id)["watched"])

    until(given_up_while_it_is_watched)
    wait_until_deaf(connector)


def test_a_run_that_has_ended_leaves_no_listen_behind(
    client: FlowClient, connector: PsycopgConnector, engine: Engine, listeners: Listeners
) -> None:
    run = client.start("flow")
    with meanwhile(run.wait) as waiting:
        listeners.wait_until_idle()
        engine.work()
        waiting.result(DEADLINE)

    wait_until_deaf(connector)


def test_a_listener_that_nobody_needs_leaves_no_thread_and_no_connection(
    dsn: str, engine: Engine, listeners: Listeners
) -> None:
    threads = set(threading.enumerate())
    connector = PsycopgConnector(dsn, linger=0.05)
    run = FlowClient(connector=connector).start("flow")
    with pytest.raises(WaitTimeoutError):
        run.wait(0.01)

    until(lambda: listeners.queries() == [])
    until(lambda: not any(thread.name == "pgflow-listener" for thread in set(threading.enumerate()) - threads))
    engine.work()
    assert run.wait(DEADLINE).status is RunStatus.COMPLETED
    connector.close()


def test_a_run_that_is_deleted_while_it_is_awaited(dsn: str, engine: Engine, listeners: Listeners) -> None:
    connector = PsycopgConnector(dsn, check_interval=0.05)
    run = FlowClient(connector=connector).start("flow")
    with meanwhile(run.wait) as waiting:
        listeners.wait_for_statement("get_run_statuses")
        engine.call("delete_flow", p_flow_slug="flow")

        assert isinstance(waiting.exception(DEADLINE), UnknownRunError)
    connector.close()


def test_a_run_that_was_deleted_before_it_is_awaited(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    engine.call("delete_flow", p_flow_slug="flow")

    with pytest.raises(UnknownRunError, match=str(run.run_id)):
        run.wait(DEADLINE)
    with pytest.raises(UnknownRunError, match=str(run.run_id)):
        run.refresh()


def test_closing_the_client_tells_those_who_wait(dsn: str, engine: Engine, listeners: Listeners) -> None:
    client = FlowClient(dsn)
    run = client.start("flow")
    with meanwhile(run.wait) as waiting:
        listeners.wait_until_idle()
        client.close()

        failure = waiting.exception(DEADLINE)
        assert type(failure) is ClientClosedError
        assert "closed" in str(failure)
    until(lambda: listeners.queries() == [])


def test_a_run_keeps_its_client_alive(dsn: str, engine: Engine) -> None:
    run = FlowClient(dsn).start("flow")
    engine.work({"b": 7})

    assert run.result(DEADLINE) == {"b": 7}
    run._client.close()


def test_a_run_is_brought_up_to_date_without_waiting(client: FlowClient, engine: Engine) -> None:
    run = client.start("flow")
    engine.work({"b": 7})

    assert run.status is RunStatus.STARTED
    assert run.refresh() is run
    assert (run.status, run.output) == (RunStatus.COMPLETED, {"b": 7})
    assert run.steps["b"].output == 7
