from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.plugins.engine import Engine
from tests.plugins.locks import wait_until_blocked
from tests.plugins.waiting import DEADLINE, meanwhile


@pytest.fixture
def deleting(committed: Engine, another: Callable[..., Engine]) -> Any:
    """Deletes the flow in another session, once it waits for a lock that the test holds."""
    session = another()
    with ThreadPoolExecutor(1) as pool:

        def delete() -> Future[Any]:
            deletion = pool.submit(session.call, "delete_flow", p_flow_slug="flow")
            wait_until_blocked(committed, session)
            return deletion

        yield delete


def test_it_waits_for_a_report_and_deletes_what_that_started(
    committed: Engine, another: Callable[..., Engine], deleting: Callable[[], Future[Any]]
) -> None:
    committed.define({"a": [], "b": ["a"]})
    committed.start()
    worker = another(autocommit=False)
    worker.complete(worker.poll_one(), 1)

    deletion = deleting()
    worker.connection.commit()

    deletion.result()
    assert committed.value("select count(*) from pgflow.step_tasks") == 0
    assert committed.value("select to_regclass('pgmq.q_flow')") is None


def test_it_waits_for_a_start_and_deletes_that_run(
    committed: Engine, another: Callable[..., Engine], deleting: Callable[[], Future[Any]]
) -> None:
    committed.define({"a": []})
    starter = another(autocommit=False)
    starter.start()

    deletion = deleting()
    starter.connection.commit()

    deletion.result()
    assert committed.value("select count(*) from pgflow.runs") == 0


def test_a_poll_that_comes_too_late_finds_no_flow(committed: Engine) -> None:
    committed.define({"a": []})
    committed.start()
    committed.call("delete_flow", p_flow_slug="flow")
    with pytest.raises(psycopg.DatabaseError, match="there is no flow 'flow' in the database") as refusal:
        committed.poll()
    assert refusal.value.sqlstate == "PF001"


def test_a_worker_that_goes_to_sleep_meanwhile_makes_no_deadlock(
    committed: Engine, another: Callable[..., Engine], deleting: Callable[[], Future[Any]]
) -> None:
    committed.define({"a": []})
    sleep = "select pgflow.sleep_on_queues(%s, '{flow}', 60)"
    worker, sleeper, other = uuid4(), another(), another(autocommit=False)
    sleeper.do(sleep, worker)
    # The deletion stops in its midst, for what it has yet to delete is held.
    other.do("select from pgflow.flows for update")
    deletion = deleting()
    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(sleeper.do, sleep, worker)
        wait_until_blocked(committed, sleeper)
        other.connection.commit()
        deletion.result()
        assert not isinstance(sleeping.exception(), psycopg.errors.DeadlockDetected)


def test_a_step_that_is_added_meanwhile_goes_with_its_flow(
    committed: Engine, another: Callable[..., Engine], deleting: Callable[[], Future[Any]]
) -> None:
    committed.define({"a": []})
    adder = another(autocommit=False)
    adder.call("add_step", flow_slug="flow", step_slug="b")

    deletion = deleting()
    adder.connection.commit()

    deletion.result()
    assert committed.rows("select * from pgflow.steps") == []


def test_a_step_that_waited_for_the_flow_to_be_replaced_is_the_new_flows(
    committed: Engine, another: Callable[..., Engine]
) -> None:
    committed.define({"a": []})
    replacing, adding = another(autocommit=False), another()
    replacing.call("delete_flow", p_flow_slug="flow")
    replacing.define({"new": []})
    with meanwhile(lambda: adding.call("add_step", flow_slug="flow", step_slug="b")) as addition:
        wait_until_blocked(committed, adding)
        replacing.connection.commit()
        addition.result(DEADLINE)
    assert committed.rows("select step_slug from pgflow.steps order by 1") == [{"step_slug": "b"}, {"step_slug": "new"}]


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
@pytest.mark.parametrize(
    "query",
    [
        "select * from pgflow.check_invariants()",
        "select * from pgflow.get_workers()",
        "select c.* from pgflow.runs as r, pgflow.claim_run_tasks(r.run_id, 30) as c",
    ],
)
def test_who_waited_for_the_queue_to_go_finds_nothing(
    committed: Engine, another: Callable[..., Engine], query: str, replaced: bool
) -> None:
    committed.define({"a": []})
    committed.start()
    deleting, reading = another(autocommit=False), another()
    deleting.call("delete_flow", p_flow_slug="flow")
    if replaced:
        deleting.define({"a": []})
    with meanwhile(lambda: reading.rows(query)) as rows:
        wait_until_blocked(committed, reading)
        deleting.connection.commit()
        assert rows.result(DEADLINE) == []
