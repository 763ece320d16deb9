"""PUBLIC gets nothing; the roles get functions, not tables, and the functions run as their owner."""

from __future__ import annotations

from uuid import uuid4

import pytest
from psycopg import errors

from tests.plugins.engine import Engine, fanout


def test_a_stranger_may_do_nothing(engine: Engine, stranger: str) -> None:
    functions = """
        select oid::regprocedure::text as name from pg_proc
        where pronamespace = 'pgflow'::regnamespace and has_function_privilege(%s, oid, 'execute')
    """
    tables = """
        select relname as name from pg_class
        where relnamespace = 'pgflow'::regnamespace and relkind in ('r', 'v')
          and has_table_privilege(%s, oid, 'select, insert, update, delete, truncate')
    """
    assert engine.rows(functions, stranger) == []
    assert engine.rows(tables, stranger) == []
    assert engine.value("select has_schema_privilege(%s, 'pgflow', 'usage')", stranger) is False


@pytest.mark.parametrize("role", ["pgflow_client", "pgflow_worker"])
@pytest.mark.parametrize("table", ["flows", "runs", "step_states", "step_tasks", "task_items", "workers"])
def test_a_role_touches_no_table(engine: Engine, role: str, table: str) -> None:
    privilege = "select has_table_privilege(%s, %s, 'select, insert, update, delete, truncate')"
    assert engine.value(privilege, role, f"pgflow.{table}") is False


def test_a_client_starts_and_watches(engine: Engine) -> None:
    engine.define({"a": []})
    engine.become("pgflow_client")
    run = engine.start()
    engine.do("select * from pgflow.start_flows('flow', '{1}')")
    engine.do("select * from pgflow.start_flow_with_states('flow', '1')")
    for function in ("watch_run", "get_run_with_states"):
        assert engine.rows(f"select * from pgflow.{function}(%s)", run)
    for function in ("watch_runs", "get_runs_with_states", "get_run_statuses"):
        assert engine.rows(f"select * from pgflow.{function}(%s)", [run])
    with pytest.raises(errors.InsufficientPrivilege), engine.connection.transaction():
        engine.poll()
    engine.become_oneself()


def test_a_worker_works(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    engine.start()
    engine.become("pgflow_worker")
    worker = uuid4()
    engine.do("select pgflow.register_worker(%s, 'flow', 'main'), pgflow.heartbeat_worker(%s)", worker, worker)
    engine.do("select pgflow.sleep_on_queues(%s, '{flow}', 1)", worker)
    task = engine.poll_one()
    assert engine.extend(task, lease=60) == []
    assert engine.release(task) == []
    arguments = {"run_id": task.run_id, "step_slug": "a", "task_index": 0}
    engine.poll_one()
    engine.call("fail_task", **arguments, error_message="it broke")
    engine.call("claim_run_tasks", p_run_id=task.run_id, p_lease=30)
    engine.do("select pgflow.complete_task(%s, 'a', 0, '[1, 2]')", task.run_id)
    engine.complete_tasks((task, 1) for task in engine.poll())
    assert engine.fail_tasks((task, "it broke") for task in engine.poll()) == []
    engine.do("select pgflow.stop_worker(%s)", worker)
    with pytest.raises(errors.InsufficientPrivilege), engine.connection.transaction():
        engine.start()
    engine.become_oneself()
