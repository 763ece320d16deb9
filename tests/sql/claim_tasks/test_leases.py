from __future__ import annotations

from tests.plugins.engine import Engine, fanout, single


def test_a_lease_that_ran_out_is_a_new_attempt_with_a_larger_token(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    first, second = engine.poll_one(lease=0), engine.poll_one(lease=30)

    assert (first.attempts_count, second.attempts_count) == (1, 2)
    assert second.token > first.token
    (task,) = engine.tasks(run, "a")
    assert (task["status"], task["token"], task["attempts_count"]) == ("started", second.token, 2)
    assert second.input == first.input


def test_a_started_task_whose_lease_holds_is_left_alone(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start()
    engine.poll_one(lease=30)
    assert engine.poll() == []


def test_a_task_that_kills_its_workers_fails_after_its_last_attempt(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]}, max_attempts=3)
    run = engine.start()
    assert [len(engine.poll(lease=0)) for _ in range(5)] == [1, 1, 1, 0, 0]

    (task,) = engine.tasks(run, "a")
    assert (task["status"], task["attempts_count"]) == ("failed", 3)
    assert task["error_message"].startswith("gave up after 3 attempts")
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled"}
    assert engine.run(run)["error_message"] == task["error_message"] == engine.step(run, "a")["error_message"]
    assert engine.messages() == []


def test_a_steps_own_number_of_attempts_decides(engine: Engine) -> None:
    engine.define({"a": single(max_attempts=1), "b": single(max_attempts=2)}, max_attempts=5)
    engine.start()
    attempts = [sorted(task.step_slug for task in engine.poll(lease=0)) for _ in range(2)]
    assert attempts == [["a", "b"], []], "the run fails with a's only attempt"


def test_a_fanout_whose_task_is_given_up_goes_as_a_whole(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")}, max_attempts=1)
    run = engine.start()
    engine.complete(engine.poll_one(), [1, 2, 3])
    done, _ = engine.poll(2, lease=0)
    engine.complete(done, "done")
    engine.poll(lease=30)

    assert engine.run(run)["status"] == "failed"
    assert sorted(task["status"] for task in engine.tasks(run, "b")) == ["cancelled", "completed", "failed"]
    assert engine.messages() == []


def test_tasks_of_a_run_that_fails_within_a_claim_are_not_handed_out(engine: Engine) -> None:
    engine.define({"a": single(max_attempts=1), "b": []})
    run = engine.start()
    assert len(engine.poll(lease=0)) == 2
    assert engine.poll() == []
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled"}


def test_other_runs_are_handed_out_by_a_claim_that_fails_one(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=1)
    dead = engine.start()
    engine.poll_one(lease=0)
    alive = engine.start()
    assert [task.run_id for task in engine.poll()] == [alive]
    assert engine.run(dead)["status"] == "failed"


def test_an_attempt_in_time_may_still_complete_on_the_last_lease(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=2)
    run = engine.start()
    engine.poll_one(lease=0)
    last = engine.poll_one(lease=0)
    engine.complete(last, 1)
    assert engine.run(run)["output"] == {"a": 1}


def test_a_task_may_be_retaken_after_a_retry(engine: Engine) -> None:
    engine.define({"a": []}, max_attempts=4)
    engine.start()
    engine.fail(engine.poll_one())
    engine.poll_one(lease=0)
    third = engine.poll_one()
    assert third.attempts_count == 3
    assert engine.complete(third)["status"] == "completed"
