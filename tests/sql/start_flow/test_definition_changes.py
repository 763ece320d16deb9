"""A run is of the flow as one look found it, whatever is defined, replaced or deleted meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine
from tests.plugins.locks import wait_until_blocked


def definition(*steps: tuple[str, list[str]]) -> Jsonb:
    return Jsonb(
        {
            "flow_slug": "flow",
            "max_attempts": 3,
            "base_delay": 0,
            "timeout": 60,
            "steps": [{"step_slug": slug, "step_type": "single", "deps": deps} for slug, deps in steps],
        }
    )


@pytest.mark.parametrize(
    "start",
    [
        "select run_id from pgflow.start_flow('flow', '1')",
        "select run_id from pgflow.start_flows('flow', array['1', '2']::jsonb[])",
    ],
)
def test_a_start_beside_a_replacement_is_of_the_new_flow(
    committed: Engine, another: Callable[..., Engine], start: str
) -> None:
    committed.define({"a": [], "b": ["a"]})
    deployer, starter = another(autocommit=False), another()
    deployer.call("ensure_flow", p_definition=definition(("a", []), ("c", ["a"])), p_replace=True)
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(starter.rows, start)
        wait_until_blocked(committed, starter)
        deployer.connection.commit()
        runs = [row["run_id"] for row in started.result()]

    committed.work()
    for run in runs:
        assert committed.run(run)["status"] == "completed"
        assert set(committed.run(run)["output"]) == {"c"}


def test_a_step_that_is_added_during_a_start_is_wholly_in_the_run_or_not(
    committed: Engine, another: Callable[..., Engine]
) -> None:
    committed.define({"a": []})
    run = uuid4()
    first, second = another(autocommit=False), another()
    first.rows("select * from pgflow.start_flow('flow', '1', %s)", run)
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(second.rows, "select * from pgflow.start_flow('flow', '1', %s)", run)
        wait_until_blocked(committed, second)
        committed.call("add_step", flow_slug="flow", step_slug="b")
        first.connection.rollback()
        started.result()

    assert committed.violations() == set()
    committed.work()
    assert committed.run(run)["status"] == "completed"
