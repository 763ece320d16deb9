from __future__ import annotations

from collections.abc import Callable

from tests.plugins.engine import NOBODY, Engine
from tests.plugins.listening import Ear


def unstart(engine: Engine, slug: str) -> None:
    engine.do("delete from pgmq.q_flow where message ->> 'step_slug' = %s", slug)
    engine.do("delete from pgflow.step_tasks where step_slug = %s", slug)
    engine.do(
        "update pgflow.step_states set status = 'created', started_at = null, remaining_tasks = null "
        "where step_slug = %s",
        slug,
    )


def test_a_step_that_waits_for_nothing_starts(committed: Engine, ear: Ear) -> None:
    committed.define({"a": [], "b": [], "c": ["a", "b"]})
    run = committed.start()
    unstart(committed, "a")
    ear.listen_to(run)

    committed.do("select pgflow.start_ready_steps(%s)", run)

    assert committed.statuses(run) == {"a": "started", "b": "started", "c": "created"}
    assert ear.names(run) == ["a:started"]
    assert {task.step_slug for task in committed.poll()} == {"a", "b"}


def test_a_sound_run_stays_as_it_is(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    run = engine.start()
    engine.do("select pgflow.start_ready_steps(%s)", run)
    assert len(engine.messages()) == 1


def test_a_run_that_is_over_or_unknown_stays_as_it_is(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]}, max_attempts=1)
    run = engine.start()
    engine.fail(engine.poll_one())
    engine.do("select pgflow.start_ready_steps(%s), pgflow.start_ready_steps(%s)", run, NOBODY)
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled"}


def test_called_twice_at_once_it_starts_a_step_once(committed: Engine, another: Callable[..., Engine]) -> None:
    committed.define({"a": []})
    run = committed.start()
    unstart(committed, "a")
    first = another(autocommit=False)
    first.do("select pgflow.start_ready_steps(%s)", run)
    first.connection.commit()
    committed.do("select pgflow.start_ready_steps(%s)", run)
    assert len(committed.messages()) == 1
