"""``pgflow workers``: who works, and on what."""

from __future__ import annotations

from uuid import uuid4

from tests.integration.cli.conftest import Pgflow
from tests.plugins.engine import Engine, Task

WORKER, GONE = uuid4(), uuid4()


def claim(engine: Engine) -> list[Task]:
    """Have a worker take what there is, with a lease."""
    engine.call("register_worker", p_worker_id=WORKER, p_queue_name="flow", p_function_name="host:1")
    rows = engine.rows("select * from pgflow.claim_tasks(array['flow'], 10, 30, %s)", WORKER)
    return [Task(**row) for row in rows]


def test_there_may_be_none(pgflow: Pgflow) -> None:
    assert pgflow.output("workers") == "no workers; --all lists those that stopped within a week\n"


def test_a_worker_is_shown_with_what_it_is_busy_with(pgflow: Pgflow, engine: Engine) -> None:
    engine.define({"greet": []})
    for _ in range(2):
        engine.start()
    tasks = claim(engine)
    engine.do("""select pgmq.send('flow', '{"run_id": "nonsense", "task_index": "x"}'::jsonb, 0)""")
    engine.do("update pgmq.q_flow set vt = vt + interval '1 hour', read_ct = 1 where message ->> 'run_id' = 'nonsense'")

    (worker,) = pgflow.objects("workers", "--json")
    assert (worker["worker_id"], worker["status"], worker["running_tasks"]) == (str(WORKER), "running", 2)
    assert [(step["step_slug"], step["tasks"]) for step in worker["busy_with"]] == [("greet", 2)]
    _, line = pgflow.output("workers").splitlines()
    assert line.startswith(f"{str(WORKER)[:8]}  host:1  running")
    assert "flow/greet x2 " in line
    engine.do("delete from pgmq.q_flow where message ->> 'run_id' = 'nonsense'")
    assert len(tasks) == 2


def test_the_dead_are_shown_and_those_that_stopped_when_they_are_asked_for(pgflow: Pgflow, engine: Engine) -> None:
    for worker_id in (WORKER, GONE):
        engine.call("register_worker", p_worker_id=worker_id, p_queue_name="flow", p_function_name="host:1")
    engine.do("update pgflow.workers set last_heartbeat_at = last_heartbeat_at - interval '1 minute'")
    engine.call("stop_worker", p_worker_id=GONE)

    assert [worker["status"] for worker in pgflow.objects("workers", "--json")] == ["dead"]
    assert [worker["status"] for worker in pgflow.objects("workers", "--all", "--json")] == ["dead", "stopped"]
