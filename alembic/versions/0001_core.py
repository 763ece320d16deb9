"""The core: flows, steps and runs, a queue for each flow, and every transition of single steps.

Going down from here drops the flows, their queues and every run, those in flight too. The roles stay: they belong to
the server, and so do their members.

Revision ID: 0001_core
Revises:
"""

from __future__ import annotations

from pathlib import Path

from pgflow.migrations import drop_functions, hold_tables, install_pgmq, run_sql, uninstall_pgmq

revision = "0001_core"
down_revision = None
branch_labels = None
depends_on = None

HERE = Path(__file__).with_suffix("")

# The tables need these, in a constraint and in a default.
BEFORE_TABLES = ("is_valid_slug", "new_run_id")

FUNCTIONS = (
    "_check_queues",
    "_check_runs",
    "_check_steps",
    "_check_tasks",
    "_claim",
    "_compare_shape",
    "_complete_many",
    "_complete_one",
    "_complete_step",
    "_complete_steps",
    "_delay_messages",
    "_delete_messages",
    "_existing_run",
    "_fail_claimed",
    "_fail_one",
    "_fail_run",
    "_fail_without_input",
    "_hold_flow",
    "_known_flows",
    "_queue_step",
    "_queue_steps",
    "_require_flow",
    "_require_parallel",
    "_require_read_committed",
    "_settle_claimed",
    "_start_step",
    "_start_steps",
    "_start_tasks",
    "_task_input",
    "_wake_workers",
    "add_step",
    "calculate_retry_delay",
    "check_flow",
    "check_invariants",
    "claim_run_tasks",
    "claim_tasks",
    "complete_task",
    "complete_tasks",
    "create_flow",
    "delete_flow",
    "ensure_flow",
    "extend_leases",
    "fail_task",
    "fail_tasks",
    "get_run_statuses",
    "heartbeat_worker",
    "maybe_complete_run",
    "poll_for_tasks",
    "register_worker",
    "release_tasks",
    "sleep_on_queues",
    "start_flow",
    "start_flows",
    "start_ready_steps",
    "start_tasks",
    "stop_worker",
)


def upgrade() -> None:
    hold_tables()
    install_pgmq()
    run_sql(*(HERE / f"{name}.sql" for name in (*BEFORE_TABLES, "tables", *FUNCTIONS, "grants")))


def downgrade() -> None:
    hold_tables()
    drop_functions(*FUNCTIONS)
    run_sql(HERE / "drop.sql")
    drop_functions(*BEFORE_TABLES)
    uninstall_pgmq()
