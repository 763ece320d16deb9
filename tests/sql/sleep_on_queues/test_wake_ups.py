from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine, fanout, single
from tests.plugins.listening import Ear


def sleep(engine: Engine, *flows: str, worker: UUID | None = None, seconds: float = 60) -> None:
    engine.do("select pgflow.sleep_on_queues(%s, %s, %s)", worker or uuid4(), list(flows or ["flow"]), seconds)


@pytest.fixture(autouse=True)
def listening(ear: Ear) -> None:
    ear.listen_on("pgflow:queue:flow")
    ear.listen_on("pgflow:queue:other")


def test_nobody_is_woken_while_nobody_sleeps(committed: Engine, ear: Ear) -> None:
    committed.define({"a": [], "b": ["a"]})
    committed.start()
    committed.work()
    assert ear.wake_ups() == []


def test_a_start_wakes_whoever_sleeps_on_the_queue(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    committed.define({"a": []}, flow="other")
    sleep(committed)
    committed.start(watched=False)
    committed.start(flow="other")
    assert ear.wake_ups() == [""]
    assert ear.wake_ups("other") == []


def test_a_worker_may_sleep_on_several_queues(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    committed.define({"a": []}, flow="other")
    sleep(committed, "flow", "other")
    committed.start(flow="other")
    assert ear.wake_ups("other") == [""]


def test_a_transaction_wakes_a_queue_once(committed: Engine, ear: Ear) -> None:
    committed.define({"a": [], "b": []})
    sleep(committed)
    with committed.connection.transaction():
        committed.start()
        committed.start()
        committed.call("start_flows", p_flow_slug="flow", p_inputs=[Jsonb(1), Jsonb(2)])
    assert ear.wake_ups() == [""]


@pytest.mark.parametrize("path", ["scalar", "set-based"])
def test_a_step_that_becomes_ready_wakes(committed: Engine, ear: Ear, path: str) -> None:
    committed.path = "scalar" if path == "scalar" else "set-based"
    committed.define({"a": [], "b": ["a"], "c": fanout("a")})
    committed.start()
    task = committed.poll_one()
    sleep(committed)
    committed.complete(task, [1, 2, 3])
    assert ear.wake_ups() == [""]


def test_a_retry_wakes_since_what_is_due_next_has_changed(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []}, base_delay=100)
    committed.start()
    task = committed.poll_one()
    sleep(committed)
    committed.fail(task)
    assert ear.wake_ups() == [""]


def test_a_report_that_queues_nothing_wakes_nobody(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    committed.start()
    task = committed.poll_one()
    sleep(committed)
    committed.complete(task)
    assert ear.wake_ups() == []


def test_a_delayed_start_wakes_too(committed: Engine, ear: Ear) -> None:
    committed.define({"a": single(start_delay=1000)})
    sleep(committed)
    committed.start()
    assert ear.wake_ups() == [""]


def test_a_mark_that_has_run_out_wakes_nobody(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    sleep(committed, seconds=0)
    committed.start()
    assert ear.wake_ups() == []


def test_a_worker_that_claims_something_is_awake(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    committed.define({"a": []}, flow="other")
    worker = uuid4()
    sleep(committed, "flow", "other", worker=worker)
    committed.start()
    claim = "select from pgflow.claim_tasks(array['flow', 'other'], 10, 30, %s)"
    assert len(committed.rows(claim, worker)) == 1
    committed.start()
    committed.start(flow="other")
    assert ear.wake_ups() == [""], "the first start alone"
    assert ear.wake_ups("other") == []


def test_a_worker_that_claims_nothing_goes_on_sleeping(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    worker = uuid4()
    sleep(committed, worker=worker)
    assert committed.rows("select from pgflow.claim_tasks(array['flow'], 10, 30, %s)", worker) == []
    committed.start()
    assert ear.wake_ups() == [""]


def test_others_go_on_sleeping(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    awake = uuid4()
    sleep(committed, worker=awake)
    sleep(committed)
    committed.start()
    committed.rows("select from pgflow.claim_tasks(array['flow'], 10, 30, %s)", awake)
    committed.start()
    assert ear.wake_ups() == ["", ""]


def test_a_worker_that_stopped_is_not_woken(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    worker = uuid4()
    sleep(committed, worker=worker)
    committed.do("select pgflow.stop_worker(%s)", worker)
    committed.start()
    assert ear.wake_ups() == []


def test_a_wake_up_that_is_rolled_back_is_none(committed: Engine, ear: Ear) -> None:
    committed.define({"a": []})
    sleep(committed)
    with committed.connection.transaction(force_rollback=True):
        committed.start()
    assert ear.wake_ups() == []
