from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine, single


def due(engine: Engine, *flows: str) -> float | None:
    sleep = "select pgflow.sleep_on_queues(gen_random_uuid(), %s, 60)"
    seconds: float | None = engine.value(sleep, list(flows or ["flow"]))
    return seconds


def test_nothing_is_due_in_an_empty_queue(engine: Engine) -> None:
    engine.define({"a": []})
    assert due(engine) is None


def test_what_is_visible_is_due_now(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    assert due(engine) == 0


def test_a_lease_is_due_when_it_ends(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    engine.poll_one(lease=100)
    assert 99 < (due(engine) or 0) <= 100


def test_a_retry_is_due_after_its_delay(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    engine.fail(engine.poll_one(), retry_delay=7.5)
    assert 7 < (due(engine) or 0) <= 7.5


def test_a_delayed_start_is_due_after_its_delay(engine: Engine) -> None:
    engine.define({"a": single(start_delay=50)})
    engine.start()
    assert 49 < (due(engine) or 0) <= 50


def test_the_first_of_several_counts(engine: Engine) -> None:
    engine.define({"a": single(start_delay=50), "b": single(start_delay=20)})
    engine.define({"a": single(start_delay=10)}, flow="other")
    engine.define({"a": []}, flow="empty")
    engine.start()
    engine.start(flow="other")
    assert 19 < (due(engine) or 0) <= 20
    assert 9 < (due(engine, "flow", "other", "empty") or 0) <= 10


def test_a_finished_run_leaves_nothing_due(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    engine.work()
    assert due(engine) is None


def test_no_queues_have_nothing_due(engine: Engine) -> None:
    assert engine.value("select pgflow.sleep_on_queues(gen_random_uuid(), '{}', 60)") is None


def test_an_unknown_flow(engine: Engine) -> None:
    with pytest.raises(errors.DatabaseError) as refusal:
        due(engine, "nowhere")
    assert refusal.value.sqlstate == "PF001"
