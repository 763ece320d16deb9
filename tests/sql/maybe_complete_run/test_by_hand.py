from __future__ import annotations

import pytest

from tests.plugins.engine import NOBODY, Engine
from tests.plugins.listening import Ear


@pytest.fixture
def done(committed: Engine) -> Engine:
    """A run whose only step has completed, though nobody has completed the run."""
    committed.define({"a": []})
    committed.start()
    committed.work({"a": 1})
    committed.do("update pgflow.runs set status = 'started', output = null, completed_at = null")
    return committed


def test_a_run_with_nothing_left_completes_once(done: Engine, ear: Ear) -> None:
    run = done.value("select run_id from pgflow.runs")
    ear.listen_to(run)
    done.do("select pgflow.maybe_complete_run(%s)", run)
    done.do("select pgflow.maybe_complete_run(%s)", run)
    assert (done.run(run)["status"], done.run(run)["output"]) == ("completed", {"a": 1})
    assert ear.names(run) == ["run:completed"]


def test_a_run_with_something_left_stays_as_it_is(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.do("select pgflow.maybe_complete_run(%s)", run)
    assert engine.run(run)["status"] == "started"


def test_a_failed_run_with_nothing_left_stays_failed(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    engine.fail(engine.poll_one())
    with engine.connection.transaction(force_rollback=True):
        engine.do("update pgflow.runs set remaining_steps = 0")
        engine.do("select pgflow.maybe_complete_run(%s)", run)
        assert engine.run(run)["status"] == "failed"


def test_an_unknown_run_is_no_error(engine: Engine) -> None:
    engine.do("select pgflow.maybe_complete_run(%s)", NOBODY)
    assert engine.rows("select * from pgflow.runs") == []
