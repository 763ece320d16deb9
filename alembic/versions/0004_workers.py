"""Workers at a glance, and a heartbeat that says when its worker has been forgotten.

Revision ID: 0004_workers
Revises: 0003_fanout
"""

from __future__ import annotations

from pathlib import Path

from pgflow.migrations import drop_functions, hold_tables, run_sql

revision = "0004_workers"
down_revision = "0003_fanout"
branch_labels = None
depends_on = None

HERE = Path(__file__).with_suffix("")
CORE = HERE.parent / "0001_core"

NEW = ("_forget_workers", "get_workers")
# This one returns something else than before.
REPLACED = ("heartbeat_worker",)
CHANGED_SINCE_CORE = ("register_worker",)


def upgrade() -> None:
    hold_tables()
    drop_functions(*REPLACED)
    run_sql(*(HERE / f"{name}.sql" for name in (*NEW, *REPLACED, *CHANGED_SINCE_CORE, "grants")))


def downgrade() -> None:
    hold_tables()
    drop_functions(*NEW, *REPLACED)
    run_sql(
        *(CORE / f"{name}.sql" for name in (*REPLACED, *CHANGED_SINCE_CORE)),
        # A function that was dropped comes back without its grants.
        CORE / "grants.sql",
    )
