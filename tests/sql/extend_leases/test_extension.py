from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugins.engine import Engine, single


def hidden(engine: Engine) -> list[float]:
    return [message["hidden"] for message in engine.messages()]


def test_a_lease_lasts_so_many_seconds_from_now(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one(lease=10)
    assert engine.extend(task, lease=100.5) == []
    assert 100 < hidden(engine)[0] <= 100.5


def test_a_longer_lease_is_not_shortened(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one(lease=100)
    assert engine.extend(task, lease=10) == []
    assert hidden(engine)[0] > 90


def test_no_lease_goes_far_beyond_the_timeout(engine: Engine) -> None:
    engine.define({"a": [], "b": single(timeout=100)}, timeout=20)
    engine.start()
    assert engine.extend(*engine.poll(lease=10), lease=1000) == []
    a, b = hidden(engine)
    assert 20 <= a <= 25
    assert 100 <= b <= 105


def test_the_timeout_counts_from_the_start_of_the_attempt(engine: Engine) -> None:
    engine.define({"a": []}, timeout=20)
    engine.start()
    task = engine.poll_one(lease=1)
    engine.do("update pgflow.step_tasks set started_at = started_at - interval '15 seconds'")
    engine.extend(task, lease=1000)
    assert 5 < hidden(engine)[0] <= 10


def test_a_lease_that_ran_out_untaken_is_extended(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    task = engine.poll_one(lease=0)
    assert engine.extend(task, lease=30) == []
    assert engine.poll() == []


def test_leases_of_several_flows_go_together(engine: Engine) -> None:
    engine.define({"a": []}, flow="one")
    engine.define({"a": []}, flow="two")
    engine.start(flow="one")
    engine.start(flow="two")
    tasks = engine.poll(lease=1, flow=["one", "two"])
    assert engine.extend(*tasks, lease=60) == []
    assert [engine.messages(flow)[0]["hidden"] > 50 for flow in ("one", "two")] == [True, True]


def test_the_claims_that_are_lost_come_back(engine: Engine) -> None:
    engine.define({slug: [] for slug in ("done", "given_back", "kept", "retaken", "retried")})
    engine.start()
    tasks = {task.step_slug: task for task in engine.poll(lease=0)}
    engine.complete(tasks["done"])
    engine.release(tasks["given_back"])
    engine.fail(tasks["retried"], retry_delay=100)
    engine.do("update pgmq.q_flow set vt = vt + interval '1 hour' where message ->> 'step_slug' <> 'retaken'")
    engine.poll_one()
    assert sorted(engine.extend(*tasks.values(), lease=60)) == [
        ("done", 0),
        ("given_back", 0),
        ("retaken", 0),
        ("retried", 0),
    ]


def test_the_tasks_of_a_run_that_failed_are_lost(engine: Engine) -> None:
    engine.define({"a": [], "b": []})
    engine.start()
    a, b = engine.poll()
    engine.fail(a, permanent=True)
    assert engine.extend(b, lease=60) == [("b", 0)]


def test_a_claim_without_a_token_is_none(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.poll_one()
    assert engine.rows("select * from pgflow.extend_leases(%s, '{a}', '{0}', '{null}', 60)", [run])


def test_nothing_to_extend_is_no_error(engine: Engine) -> None:
    assert engine.extend(lease=60) == []


@pytest.mark.parametrize("table", ["pgflow.runs", "pgflow.step_tasks", "pgmq.q_flow"])
def test_it_waits_for_nobody(committed: Engine, another: Callable[..., Engine], table: str) -> None:
    committed.define({"a": []})
    committed.start()
    task = committed.poll_one()
    other, hasty = another(autocommit=False), another()
    other.do(f"select from {table} for update")
    hasty.do("set lock_timeout = '1ms'")
    assert hasty.extend(task, lease=60) == []
