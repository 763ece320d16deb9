"""Events: every transition of a watched run is broadcast, and the whole of a run is read in one call.

A realtime.send that the database brings itself, as Supabase does, is called and never replaced.

Revision ID: 0002_events
Revises: 0001_core
"""

from __future__ import annotations

from pathlib import Path

from alembic import op
from sqlalchemy import text

from pgflow.migrations import drop_functions, hold_tables, run_sql

revision = "0002_events"
down_revision = "0001_core"
branch_labels = None
depends_on = None

HERE = Path(__file__).with_suffix("")
CORE = HERE.parent / "0001_core"

NEW = (
    "_broadcast",
    "_broadcast_run",
    "_broadcast_steps",
    "_notify_event",
    "_realtime_is_foreign",
    "get_run_with_states",
    "get_runs_with_states",
    "start_flow_with_states",
    "watch_run",
    "watch_runs",
)
CHANGED = (
    "_complete_step",
    "_complete_steps",
    "_fail_run",
    "_queue_step",
    "_queue_steps",
    "maybe_complete_run",
    "start_flow",
    "start_flows",
    "start_ready_steps",
)

# Schema and function are ours by the mark in their comments, which says what a downgrade may drop.
REALTIME = """
do $realtime$
begin
  if to_regnamespace('realtime') is null then
    create schema realtime;
    revoke all on schema realtime from public;
    comment on schema realtime is 'pgflow: made for realtime.send';
  end if;
  if to_regprocedure('realtime.send(jsonb,text,text,boolean)') is null then
    execute $send${send}$send$;
    revoke execute on function realtime.send(jsonb, text, text, boolean) from public;
  end if;
end
$realtime$
"""


def upgrade() -> None:
    hold_tables()
    send = (HERE / "realtime.send.sql").read_text(encoding="utf-8")
    op.execute(text(REALTIME.format(send=send).replace(":", r"\:")))
    run_sql(*(HERE / f"{name}.sql" for name in ("index", *NEW, *CHANGED, "grants")))


def downgrade() -> None:
    hold_tables()
    run_sql(*(CORE / f"{name}.sql" for name in CHANGED))
    drop_functions(*NEW)
    run_sql(HERE / "drop.sql")
