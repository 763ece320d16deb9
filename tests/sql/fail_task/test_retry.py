from __future__ import annotations

import pytest

from tests.plugins.engine import Engine, both_paths, fanout, single


def hidden(engine: Engine) -> float:
    (message,) = engine.messages()
    seconds: float = message["hidden"]
    return seconds


@both_paths
def test_a_failed_attempt_is_queued_again_with_its_error(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=2)
    run = engine.start()
    first = engine.poll_one()
    task = engine.fail(first, "it broke", traceback="line 1")

    assert (task["status"], task["attempts_count"], task["started_at"]) == ("queued", 1, None)
    assert (task["error_message"], task["traceback"]) == ("it broke", "line 1")
    assert (task["failed_at"], task["output"]) == (None, None)
    assert engine.run(run)["status"] == "started"
    assert engine.step(run, "a")["status"] == "started"

    second = engine.poll_one()
    assert (second.attempts_count, second.msg_id) == (2, first.msg_id)
    assert second.token > first.token


@both_paths
def test_a_retry_that_works_completes_the_step(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    engine.fail(engine.poll_one())
    engine.complete(engine.poll_one(), "ok")
    assert engine.run(run)["output"] == {"a": "ok"}
    assert engine.step(run, "a")["error_message"] is None


@both_paths
@pytest.mark.parametrize("attempts", [1, 3])
def test_the_first_attempt_counts(engine: Engine, attempts: int) -> None:
    engine.define({"a": []}, max_attempts=attempts)
    run = engine.start()
    for _ in range(attempts):
        assert engine.run(run)["status"] == "started"
        engine.fail(engine.poll_one())
    assert engine.run(run)["status"] == "failed"
    assert engine.tasks(run, "a")[0]["attempts_count"] == attempts


@both_paths
@pytest.mark.parametrize(("attempts", "seconds"), [(1, 20), (2, 40), (3, 80)])
def test_each_retry_waits_twice_as_long(engine: Engine, attempts: int, seconds: float) -> None:
    engine.define({"a": []}, max_attempts=10, base_delay=10)
    engine.start()
    task = engine.poll_one()
    engine.do("update pgflow.step_tasks set attempts_count = %s", attempts)
    engine.fail(task)
    assert seconds - 1 < hidden(engine) <= seconds * 1.1


@both_paths
@pytest.mark.parametrize(("base_delay", "attempts"), [(5, 29), (2_147_483_647, 1), (1, 1000)])
def test_no_retry_waits_much_longer_than_an_hour(engine: Engine, base_delay: int, attempts: int) -> None:
    engine.define({"a": []}, max_attempts=10_000, base_delay=base_delay)
    engine.start()
    task = engine.poll_one()
    engine.do("update pgflow.step_tasks set attempts_count = %s", attempts)
    engine.fail(task)
    assert 3599 < hidden(engine) <= 3960


@both_paths
def test_tasks_that_failed_together_do_not_come_back_together(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")}, base_delay=1000)
    engine.start()
    engine.complete(engine.poll_one(), list(range(20)))
    for task in engine.poll(20):
        engine.fail(task)
    delays = [message["hidden"] for message in engine.messages()]
    assert min(delays) > 1999
    assert max(delays) <= 2200
    assert max(delays) - min(delays) > 20


@both_paths
def test_without_a_base_there_is_no_delay_and_no_jitter(engine: Engine) -> None:
    engine.define({"a": []}, base_delay=0)
    engine.start()
    engine.fail(engine.poll_one())
    assert hidden(engine) <= 0


@both_paths
def test_a_steps_own_options_decide(engine: Engine) -> None:
    engine.define({"a": single(max_attempts=5, base_delay=100)}, max_attempts=1, base_delay=0)
    engine.start()
    engine.fail(engine.poll_one())
    assert 199 < hidden(engine) <= 220


@both_paths
def test_the_options_are_those_of_now(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    run = engine.start()
    task = engine.poll_one()
    engine.do("update pgflow.flows set opt_max_attempts = 2")
    engine.fail(task)
    assert engine.run(run)["status"] == "started"


@both_paths
def test_a_start_delay_is_for_the_first_attempt_only(engine: Engine) -> None:
    engine.define({"a": single(start_delay=1000)})
    engine.start()
    engine.do("update pgmq.q_flow set vt = clock_timestamp()")
    engine.fail(engine.poll_one())
    assert hidden(engine) <= 0


@both_paths
@pytest.mark.parametrize("delay", [0, 0.5, 12.25, 86_400])
def test_a_reporter_may_choose_the_delay(engine: Engine, delay: float) -> None:
    engine.define({"a": []}, base_delay=1000)
    engine.start()
    engine.fail(engine.poll_one(), retry_delay=delay)
    assert delay - 1 < hidden(engine) <= delay


@both_paths
@pytest.mark.parametrize("delay", [None, -1, float("nan"), float("inf"), float("-inf"), 1e300])
def test_an_impossible_delay_is_that_of_the_step(engine: Engine, delay: float | None) -> None:
    engine.define({"a": []}, base_delay=10)
    engine.start()
    engine.fail(engine.poll_one(), retry_delay=delay)
    assert 19 < hidden(engine) <= 22


@both_paths
def test_a_permanent_failure_leaves_out_what_attempts_remain(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=10)
    run = engine.start()
    task = engine.fail(engine.poll_one(), permanent=True, retry_delay=1)
    assert (task["status"], task["attempts_count"]) == ("failed", 1)
    assert engine.run(run)["status"] == "failed"


@both_paths
def test_a_token_is_never_used_again(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=10)
    engine.start()
    tokens = []
    for end in (engine.fail, engine.release, lambda _: None, engine.fail):
        task = engine.poll_one(lease=0)
        tokens.append(task.token)
        end(task)
    assert tokens == [1, 2, 3, 4]
