"""Less work for each step: it starts with the write that ends its waiting, rows stay on their pages, and what nobody
listens to is looked up less often. And whoever meets the deletion of a flow finds no flow, instead of an error.

Revision ID: 0005_fewer_writes
Revises: 0004_workers
"""

from __future__ import annotations

from pathlib import Path

from pgflow.migrations import drop_functions, hold_tables, run_sql

revision = "0005_fewer_writes"
down_revision = "0004_workers"
branch_labels = None
depends_on = None

HERE = Path(__file__).with_suffix("")
CORE = HERE.parent / "0001_core"
EVENTS = HERE.parent / "0002_events"
FANOUT = HERE.parent / "0003_fanout"
WORKERS = HERE.parent / "0004_workers"

NEW = ("_complete_run", "oldest_code")
# What they did is part of the functions that called them.
GONE = ("_start_step", "_start_steps")
CHANGED_SINCE_CORE = ("_check_queues", "_claim", "_known_flows", "_require_flow", "_settle_claimed", "_start_tasks", "claim_run_tasks", "claim_tasks", "create_flow", "new_run_id")
CHANGED_SINCE_EVENTS = ("_complete_steps", "_queue_step", "_queue_steps", "_realtime_is_foreign", "maybe_complete_run", "start_ready_steps")
CHANGED_SINCE_FANOUT = ("_complete_step", "_fail_run", "_start_fanout", "add_step", "start_flow", "start_flows")
CHANGED_SINCE_WORKERS = ("get_workers", "register_worker")


def upgrade() -> None:
    hold_tables()
    changed = (*CHANGED_SINCE_CORE, *CHANGED_SINCE_EVENTS, *CHANGED_SINCE_FANOUT, *CHANGED_SINCE_WORKERS)
    run_sql(*(HERE / f"{name}.sql" for name in ("tables", *NEW, *changed, "grants")))
    drop_functions(*GONE)


def downgrade() -> None:
    hold_tables()
    drop_functions(*NEW)
    run_sql(
        HERE / "restore.sql",
        *(CORE / f"{name}.sql" for name in CHANGED_SINCE_CORE),
        *(EVENTS / f"{name}.sql" for name in CHANGED_SINCE_EVENTS),
        *(FANOUT / f"{name}.sql" for name in (*GONE, *CHANGED_SINCE_FANOUT)),
        *(WORKERS / f"{name}.sql" for name in CHANGED_SINCE_WORKERS),
        # A function that was dropped comes back without its grants.
        CORE / "grants.sql",
    )
