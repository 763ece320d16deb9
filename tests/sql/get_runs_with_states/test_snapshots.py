from __future__ import annotations

from tests.plugins.engine import NOBODY, Engine


def test_there_is_a_snapshot_for_each_run_that_exists(engine: Engine) -> None:
    engine.define({"b": [], "a": ["b"]})
    runs = [engine.start(n) for n in range(3)]
    snapshots = engine.rows(
        """select (run).run_id, array(select s.step_slug from unnest(steps) as s) as slugs
           from pgflow.get_runs_with_states(%s)""",
        [*runs, NOBODY],
    )
    assert {row["run_id"]: row["slugs"] for row in snapshots} == {run: ["a", "b"] for run in runs}


def test_no_runs_have_no_snapshots(engine: Engine) -> None:
    assert engine.rows("select * from pgflow.get_runs_with_states('{}')") == []
