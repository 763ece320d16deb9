from __future__ import annotations

from itertools import pairwise

import pytest

from tests.plugins.engine import Engine, Path, Step, fanout
from tests.plugins.listening import Ear

both = pytest.mark.parametrize("path", ["scalar", "set-based"])


@both
def test_a_completed_step_and_run_tell_their_output(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": []})
    run = committed.start()
    ear.listen_to(run)
    committed.work({"a": {"x": [1, None]}})

    step, over = ear.events(run)

    times = committed.row(
        """select to_jsonb(s.completed_at) as step, to_jsonb(r.completed_at) as run
           from pgflow.step_states as s, pgflow.runs as r"""
    )
    assert (step.name, step.payload) == (
        "a:completed",
        {"run_id": str(run), "step_slug": "a", "output": {"x": [1, None]}, "completed_at": times["step"]},
    )
    assert (over.name, over.payload) == (
        "run:completed",
        {"run_id": str(run), "output": {"a": {"x": [1, None]}}, "completed_at": times["run"]},
    )


@both
def test_a_dependent_starts_after_what_it_waits_for(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    run = committed.start()
    ear.listen_to(run)
    committed.work()

    names = ear.names(run)

    assert sorted(names) == sorted(
        ["a:completed", *(f"{slug}:{what}" for slug in "bcd" for what in ("started", "completed")), "run:completed"]
    )
    for earlier, later in [
        *(("a:completed", f"{slug}:started") for slug in "bc"),
        *((f"{slug}:started", f"{slug}:completed") for slug in "bcd"),
        *((f"{slug}:completed", "d:started") for slug in "bc"),
        ("d:completed", "run:completed"),
    ]:
        assert names.index(earlier) < names.index(later)


@both
def test_a_step_starts_with_its_own_time(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": ["a"]})
    run = committed.start()
    ear.listen_to(run)
    committed.complete(committed.poll_one())
    _, started = ear.events(run)
    started_at = committed.value("select to_jsonb(started_at) from pgflow.step_states where step_slug = 'b'")
    assert (started.name, started.payload) == (
        "b:started",
        {"run_id": str(run), "step_slug": "b", "started_at": started_at},
    )


@both
def test_a_fanout_speaks_as_a_step_and_not_for_each_task(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": fanout("a")})
    run = committed.start()
    ear.listen_to(run)
    committed.work({"a": [3, 1, 2], "b": lambda task: task.input["item"]})
    *names, completed, _ = ear.events(run)
    assert [event.name for event in names] == ["a:completed", "b:started"]
    assert completed.payload["output"] == [3, 1, 2]


@both
def test_an_empty_fanout_only_completes(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": fanout("a"), "c": fanout("b"), "d": ["c"]})
    run = committed.start()
    ear.listen_to(run)
    committed.work({"a": []})
    names = ["a:completed", "b:completed", "c:completed", "d:started", "d:completed", "run:completed"]
    assert ear.names(run) == names


@both
def test_a_deep_chain_of_empty_fanouts_tells_it_from_the_top(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    chain: dict[str, Step | list[str]] = {"s0": []}
    chain.update({f"s{above}": fanout(f"s{below}") for below, above in pairwise(range(61))})
    committed.define(chain)
    run = committed.start()
    ear.listen_to(run)
    committed.work({"s0": []})
    assert ear.names(run) == [*(f"s{n}:completed" for n in range(61)), "run:completed"]


@both
def test_late_and_duplicate_reports_say_nothing(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": []})
    run = committed.start()
    stale = committed.poll_one(lease=0)
    task = committed.poll_one()
    ear.listen_to(run)
    committed.complete(stale)
    committed.complete(task)
    committed.complete(task)
    committed.fail(task)
    assert ear.names(run) == ["a:completed", "run:completed"]


@both
def test_each_run_of_a_batch_is_told_its_own_story(committed: Engine, ear: Ear, path: Path) -> None:
    committed.path = path
    committed.define({"a": [], "b": ["a"]})
    runs = [committed.start(n) for n in range(3)]
    ear.listen_to(*runs)
    committed.work({slug: lambda task: task.input["run"] for slug in "ab"})
    for n, run in enumerate(runs):
        events = ear.events(run)
        assert [event.name for event in events] == ["a:completed", "b:started", "b:completed", "run:completed"]
        assert events[-1].payload["output"] == {"b": n}
