from __future__ import annotations

import pytest

from tests.plugins.engine import Engine, Path, fanout
from tests.plugins.listening import Ear

both = pytest.mark.parametrize("path", ["scalar", "set-based"])


@both
def test_the_step_fails_and_then_the_run(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": [], "c": ["a"]}, max_attempts=1)
    run = committed.start()
    ear.listen_to(run)
    committed.fail(committed.poll_one(), "it broke")

    step, over = ear.events(run)

    times = committed.row(
        """select to_jsonb(s.failed_at) as step, to_jsonb(r.failed_at) as run
           from pgflow.step_states as s, pgflow.runs as r where s.step_slug = 'a'"""
    )
    assert (step.name, step.payload) == (
        "a:failed",
        {"run_id": str(run), "step_slug": "a", "error_message": "it broke", "failed_at": times["step"]},
    )
    assert (over.name, over.payload) == (
        "run:failed",
        {"run_id": str(run), "error_message": "it broke", "failed_at": times["run"]},
    )


@both
def test_a_retry_says_nothing(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": []}, max_attempts=3)
    run = committed.start()
    ear.listen_to(run)
    committed.fail(committed.poll_one())
    committed.fail(committed.poll_one())
    assert ear.names(run) == []
    committed.fail(committed.poll_one())
    assert ear.names(run) == ["a:failed", "run:failed"]


@both
def test_of_parallel_branches_that_fail_the_first_alone_is_heard(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": fanout("a"), "c": ["a"]}, max_attempts=1)
    run = committed.start()
    committed.complete(committed.poll_one(), [1, 2])
    tasks = committed.poll()
    ear.listen_to(run)
    for task in tasks:
        committed.fail(task)
    assert [name.split(":")[1] for name in ear.names(run)] == ["failed", "failed"]
    assert ear.names(run)[-1] == "run:failed"


@both
def test_nothing_is_said_about_a_run_that_failed(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": [], "c": ["b"]}, max_attempts=1)
    run = committed.start()
    a, b = committed.poll()
    committed.fail(a)
    ear.listen_to(run)
    committed.complete(b)
    assert ear.names(run) == []
