"""The guide to monitoring: each query is asked by its role, finds what it is for, and does not read the history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import yaml

from tests.docs.pages import Page
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, Row, fanout
from tests.plugins.roles import Roles

PAGE = Page("guides/monitoring.md")

#: Runs of long ago, that queries of what is recent have to leave alone.
HISTORY = 2_000

SETUP, *QUERIES, PRUNING = (block.text for block in PAGE.blocks("sql"))
EXPORTED: dict[str, Any]
EXPORTED, ALERTS = (yaml.safe_load(block.text) for block in PAGE.blocks("yaml"))

HOT = ("runs", "step_states", "step_tasks")


@pytest.fixture
def engine(database: Connection) -> Engine:
    return Engine(database)


@pytest.fixture
def monitor(roles: Roles, database: Connection) -> Iterator[Engine]:
    """A session of the page's role, on a database where all has happened that can be asked about."""
    database.execute(roles.own(SETUP, "monitor").encode())
    engine = Engine(database)
    engine.define({"pack": [], "post": fanout("pack")}, flow="ship-order", base_delay=600, max_attempts=2)
    engine.define({"only": []}, flow="Unserved")
    engine.start(flow="Unserved")
    completed, retried, failed, queued = (engine.start(number, flow="ship-order") for number in range(4))
    for task in engine.poll(4, flow="ship-order"):
        if task.run_id == completed:
            engine.complete(task, [])
        elif task.run_id == retried:
            engine.fail(task, "no cardboard")
        elif task.run_id == failed:
            engine.fail_tasks([(task, "no such order")], permanent=True)
        else:
            engine.release(task)
    for worker, silence in (("alive:1", "0"), ("dead:1", "5 minutes")):
        engine.call("register_worker", p_worker_id=uuid4(), p_queue_name="ship-order", p_function_name=worker)
        engine.do(
            "update pgflow.workers set last_heartbeat_at = clock_timestamp() - %s::interval where function_name = %s",
            silence,
            worker,
        )
    assert engine.run(queued)["status"] == "started"
    with psycopg.connect(roles.dsn_of("monitor"), autocommit=True) as connection:
        yield Engine(connection)


def query_about(words: str) -> str:
    """The query below the question with these words."""
    text = PAGE.text[PAGE.text.index(words) :]
    found = re.search(r"```sql\n(.*?)```", text, flags=re.DOTALL)
    assert found is not None
    return found[1]


def test_every_question_is_answered_to_the_role(monitor: Engine) -> None:
    for query in QUERIES:
        assert monitor.rows(query), query

    def ask(words: str) -> list[Row]:
        return monitor.rows(query_about(words))

    assert {(row["flow_slug"], row["status"]): row["runs"] for row in ask("How many runs of each status")} == {
        ("Unserved", "started"): 1,
        ("ship-order", "completed"): 1,
        ("ship-order", "failed"): 1,
        ("ship-order", "started"): 2,
    }
    assert [row["error"] for row in ask("What failed within")] == ["no such order"]
    assert {
        row["flow"]: (row["ready"], row["hidden"], row["redelivered"], row["oldest_ready_seconds"] > 0)
        for row in ask("What waits")
    } == {"Unserved": (1, 0, 0, True), "ship-order": (1, 1, 0, True)}
    assert [(row["step_slug"], row["attempts_count"], row["of"], row["error"]) for row in ask("Which tasks wait")] == [
        ("pack", 1, 2, "no cardboard")
    ]
    assert [row["function_name"] for row in ask("Who died")] == ["dead:1"]
    assert [row["flow_slug"] for row in ask("Which flows does nobody")] == ["Unserved"]
    assert [(row["step_slug"], row["tasks"]) for row in ask("Which steps are slow")] == [("pack", 1)]
    assert {"pgflow.runs", "pgmq.q_ship-order"} <= {row["name"] for row in ask("How large are the tables")}


def run_of_long_ago(number: int) -> UUID:
    """An id as one made then would be."""
    milliseconds = 1_577_836_800_000 + number
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x8 << 60 | number)


def test_what_is_recent_is_found_without_reading_the_history(monitor: Engine, engine: Engine) -> None:
    with engine.connection.cursor() as cursor:
        cursor.executemany(
            "select pgflow.start_flow('ship-order', '0', run_id => %s)",
            [(run_of_long_ago(number),) for number in range(HISTORY)],
        )
    engine.do("analyze pgflow.runs, pgflow.step_states, pgflow.step_tasks")

    asked = 0
    for query in [*QUERIES, *(exported["query"] for exported in EXPORTED.values())]:
        plan = "\n".join(row["QUERY PLAN"] for row in monitor.rows(f"explain {query}"))
        for table in HOT:
            asked += f" on {table} " in plan
            assert f"Seq Scan on {table}" not in plan, plan
    assert asked >= 5


def test_the_exporter_is_given_what_its_file_names(monitor: Engine) -> None:
    found = {name: monitor.rows(exported["query"]) for name, exported in EXPORTED.items()}
    for name, rows in found.items():
        described = {column: how for metric in EXPORTED[name]["metrics"] for column, how in metric.items()}
        assert rows, name
        assert rows[0].keys() == described.keys()
        for column, how in described.items():
            if how["usage"] == "LABEL":
                assert isinstance(rows[0][column], str)
            else:
                assert how["usage"] == "GAUGE"
                float(rows[0][column])

    runs = {row["flow"]: row for row in found["pgflow_runs"]}
    assert runs["ship-order"] == {
        "flow": "ship-order",
        "open_today": 2,
        "completed_last_hour": 1,
        "failed_last_hour": 1,
    }
    workers = {row["flow"]: (row["running"], row["died_lately"]) for row in found["pgflow_workers"]}
    assert workers == {"Unserved": (0, 0), "ship-order": (1, 1)}


def test_alerts_are_about_what_is_exported() -> None:
    known = {
        f"{name}_{column}" for name, exported in EXPORTED.items() for metric in exported["metrics"] for column in metric
    }
    expressions = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    assert expressions
    for expression in expressions:
        assert set(re.findall(r"pgflow_\w+", expression)) <= known


def test_what_ended_long_ago_is_deleted_whole_and_nothing_else(
    roles: Roles, database: Connection, engine: Engine, connect: Callable[..., Connection]
) -> None:
    database.execute(roles.own(SETUP, "monitor").encode())
    engine.define({"a": [], "b": fanout("a")})
    old, young = engine.start(run_id=run_of_long_ago(1)), engine.start()
    engine.work({"a": ["x" * 1000, 2]})
    still_open = engine.start(run_id=run_of_long_ago(2))

    assert connect().execute(PRUNING.encode()).rowcount == 1
    left = {row["run_id"] for row in engine.rows("select run_id from pgflow.runs")}
    assert left == {young, still_open}
    for table in ("step_states", "step_tasks", "task_items"):
        assert engine.value(f"select count(*) from pgflow.{table} where run_id = %s", old) == 0
        assert engine.value(f"select count(*) from pgflow.{table} where run_id = %s", young) > 0
