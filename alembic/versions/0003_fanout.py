"""Fan-out: a step with a task for each element of the array that its only dependency returned.

Going down from here is refused while a flow has such a step.

Revision ID: 0003_fanout
Revises: 0002_events
"""

from __future__ import annotations

from pathlib import Path

from pgflow.migrations import drop_functions, hold_tables, run_sql

revision = "0003_fanout"
down_revision = "0002_events"
branch_labels = None
depends_on = None

HERE = Path(__file__).with_suffix("")
CORE = HERE.parent / "0001_core"
EVENTS = HERE.parent / "0002_events"

NEW = (
    "_advance_fanouts",
    "_complete_fanout",
    "_feeds_fanout",
    "_start_fanout",
    "raise_exception",
    "spawn_fanout_tasks",
)
# These have another signature than before.
REPLACED = ("_fail_one", "add_step")
CHANGED_SINCE_CORE = (
    "_check_steps",
    "_check_tasks",
    "_compare_shape",
    "_complete_many",
    "_complete_one",
    "_start_step",
    "_start_steps",
    "_task_input",
    "delete_flow",
    "ensure_flow",
)
CHANGED_SINCE_EVENTS = ("_complete_step", "_fail_run", "start_flow", "start_flows")


def upgrade() -> None:
    hold_tables()
    drop_functions(*REPLACED)
    names = ("tables", *NEW, *REPLACED, *CHANGED_SINCE_CORE, *CHANGED_SINCE_EVENTS, "grants")
    run_sql(*(HERE / f"{name}.sql" for name in names))


def downgrade() -> None:
    hold_tables()
    run_sql(HERE / "refuse.sql")
    drop_functions(*NEW, *REPLACED)
    run_sql(
        HERE / "drop.sql",
        *(CORE / f"{name}.sql" for name in (*REPLACED, *CHANGED_SINCE_CORE)),
        *(EVENTS / f"{name}.sql" for name in CHANGED_SINCE_EVENTS),
        # A function that was dropped comes back without its grants.
        CORE / "grants.sql",
    )
