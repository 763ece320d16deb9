"""``pgflow top``: queues, workers and throughput."""

from __future__ import annotations

import json
from uuid import uuid4

from psycopg.sql import SQL, Identifier

from pgflow.cli._fleet import Reading
from pgflow.inspection.rows import QueueDepth
from tests.integration.cli.conftest import Pgflow
from tests.plugins.engine import Engine


def test_it_shows_how_deep_queues_are_and_what_became_of_runs(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []}, flow="Idle")
    engine.define({"a": []}, flow="busy", max_attempts=1)
    for _ in range(5):
        engine.start(flow="busy")
    done, failed, _ = engine.poll(3, flow="busy")
    engine.complete(done)
    engine.fail(failed)

    reading = json.loads(pgflow.output("top", "--json", "--every", "0.2"))
    assert [(queue["flow_slug"], queue["ready"], queue["waiting"], queue["sent"]) for queue in reading["queues"]] == [
        ("Idle", 0, 0, 0),
        ("busy", 2, 1, 5),
    ]
    assert reading["runs"] == [{"flow_slug": "busy", "started": 5, "completed": 1, "failed": 1}]
    assert reading["tasks_per_second"] == {"Idle": 0, "busy": 0}
    assert set(reading) == {"queues", "runs", "workers", "running_steps", "tasks_per_second"}
    lines = [line.split() for line in pgflow.output("top", "--once", "--every", "0.2").splitlines()]
    assert ["busy", "2", "1"] in [line[:3] for line in lines]
    assert ["no", "workers"] in lines


def test_the_rate_is_what_left_the_queue_between_two_readings() -> None:
    before = Reading([QueueDepth("flow", 10, 2, 1, 100)], [], [], [], read_at=10.0)
    after = Reading([QueueDepth("flow", 5, 0, 1, 113), QueueDepth("new", 0, 0, None, 0)], [], [], [], read_at=12.0)

    assert after.rates_since(before) == {"flow": 10.0}


def test_a_queue_that_is_gone_hides_no_other(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"a": []}, flow="lost")
    engine.define({"a": []}, flow="there")
    engine.start(flow="there")
    engine.do("drop table pgmq.q_lost")

    reading = json.loads(pgflow.output("top", "--json", "--every", "0.2"))
    assert [(queue["flow_slug"], queue["ready"]) for queue in reading["queues"]] == [("there", 1)]
    assert pgflow.output("workers").startswith("no workers")


def test_a_monitoring_role_may_look_at_everything(pgflow: Pgflow, engine: Engine) -> None:
    role = f"pgflow_test_monitor_{uuid4().hex}"
    engine.define({"a": []})
    run_id = str(engine.start())
    engine.connection.execute(SQL("create role {} in role pg_read_all_data").format(Identifier(role)))
    engine.connection.execute(SQL("grant execute on function pgflow.get_workers() to {}").format(Identifier(role)))
    monitor = Pgflow(f"{pgflow.dsn} options='-c role={role}'")
    try:
        for command in (["top", "--once", "--every", "0.2"], ["workers"], ["runs"], ["flows"], ["show", run_id]):
            monitor(*command)
    finally:
        engine.connection.execute(SQL("drop owned by {0}; drop role {0}").format(Identifier(role)))
