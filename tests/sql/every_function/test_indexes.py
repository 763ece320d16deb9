"""Which indexes the hot statements use, as auto_explain sees them inside the functions."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.plugins.engine import Engine, fanout

SCAN = re.compile(r"(Index(?: Only)? Scan|Bitmap Index Scan|Seq Scan).*? (?:using|on) (\S+)(?: on (\S+))?")

QUEUE_BY_TIME = "q_flow_vt_idx"
QUEUE_BY_ID = "q_flow_pkey"
COMPLETION = {QUEUE_BY_ID, "runs_pkey", "step_states_pkey", "step_tasks_pkey"}

USED = {
    "select * from pgflow.start_flow('flow', '1', null, null, false)": {"steps_pkey"},
    "select * from pgflow.claim_tasks('{flow}', 10, 30)": {QUEUE_BY_TIME, QUEUE_BY_ID, "step_tasks_pkey", "runs_pkey"},
    """select * from pgflow.complete_tasks(%(runs)s, %(slugs)s, %(indexes)s, array_fill('[1]'::jsonb, '{2}'),
                                            %(tokens)s)""": COMPLETION,
    "select pgflow.complete_task((%(runs)s::uuid[])[1], (%(slugs)s::text[])[1], (%(indexes)s::int[])[1], '[1]')": (
        COMPLETION
    ),
    "select * from pgflow.get_runs_with_states(%(runs)s)": {"runs_pkey", "idx_step_states_run_only"},
    "select * from pgflow.get_run_statuses(%(runs)s)": {"runs_pkey", "idx_step_states_run_only"},
    "select pgflow.sleep_on_queues(gen_random_uuid(), '{flow}', 1)": {QUEUE_BY_TIME},
}


@pytest.fixture
def explained(committed: Engine, another: Callable[..., Engine]) -> Engine:
    """A session whose plans are told, those of statements in functions too, on tables that are not small."""
    committed.define({"a": [], "b": fanout("a"), "c": ["b"]})
    committed.call("start_flows", p_flow_slug="flow", p_inputs=[Jsonb(n) for n in range(300)], p_watched=False)
    committed.do("analyze")
    engine = another()
    try:
        engine.do("load 'auto_explain'")
    except psycopg.errors.UndefinedFile:
        pytest.skip("this PostgreSQL has no auto_explain; Debian's has")
    for setting, value in {
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_nested_statements": "on",
        "auto_explain.log_level": "notice",
    }.items():
        engine.do("select set_config(%s, %s, false)", setting, value)
    return engine


@pytest.mark.parametrize("call", USED, ids=lambda call: call.split("(")[0].split(".")[-1])
def test_a_hot_call_finds_its_rows_by_their_keys(explained: Engine, call: str) -> None:
    tasks = explained.poll(2)
    plans: list[str] = []
    explained.connection.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
    explained.connection.execute(
        call.encode(),
        {
            "runs": [task.run_id for task in tasks],
            "slugs": [task.step_slug for task in tasks],
            "indexes": [task.task_index for task in tasks],
            "tokens": [task.token for task in tasks],
        },
    )
    scans = [match.groups() for plan in plans for match in map(SCAN.search, plan.splitlines()) if match]
    read_whole = {name for kind, name, _ in scans if kind == "Seq Scan"}
    assert read_whole & {"runs", "step_states", "step_tasks", "task_items", "q_flow"} == set()
    assert {name for kind, name, _ in scans if kind != "Seq Scan"} >= USED[call]
