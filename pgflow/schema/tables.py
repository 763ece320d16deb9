"""The schema's tables for SQLAlchemy: what ``alembic check`` compares with, and for queries of your own.

The engine's functions are the only writers. Constraints that say which states are possible are in the database alone.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

__all__ = [
    "deps",
    "flows",
    "metadata",
    "runs",
    "sleeping_workers",
    "step_states",
    "step_tasks",
    "steps",
    "task_items",
    "workers",
]

metadata = MetaData(schema="pgflow")

_TIME = DateTime(timezone=True)
_NOW = func.clock_timestamp()

flows = Table(
    "flows",
    metadata,
    Column("flow_slug", Text, primary_key=True),
    Column("opt_max_attempts", Integer, nullable=False, server_default=text("3")),
    Column("opt_base_delay", Integer, nullable=False, server_default=text("1")),
    Column("opt_timeout", Integer, nullable=False, server_default=text("300")),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
)
Index("flow_slug_is_unique_whatever_its_case", func.lower(flows.c.flow_slug), unique=True)

steps = Table(
    "steps",
    metadata,
    Column("flow_slug", Text, primary_key=True),
    Column("step_slug", Text, primary_key=True),
    Column("step_index", Integer, nullable=False),
    Column("deps_count", Integer, nullable=False, server_default=text("0")),
    Column("handler_name", Text),
    Column("opt_max_attempts", Integer),
    Column("opt_base_delay", Integer),
    Column("opt_timeout", Integer),
    Column("opt_start_delay", Integer),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("step_type", Text, nullable=False, server_default=text("'single'")),
    UniqueConstraint("flow_slug", "step_index", name="step_index_is_unique_in_the_flow"),
    ForeignKeyConstraint(["flow_slug"], [flows.c.flow_slug], name="steps_belong_to_a_flow"),
)

deps = Table(
    "deps",
    metadata,
    Column("flow_slug", Text, primary_key=True),
    Column("dep_slug", Text, primary_key=True),
    Column("step_slug", Text, primary_key=True),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    ForeignKeyConstraint(
        ["flow_slug", "dep_slug"], [steps.c.flow_slug, steps.c.step_slug], name="dependency_is_a_step"
    ),
    ForeignKeyConstraint(
        ["flow_slug", "step_slug"], [steps.c.flow_slug, steps.c.step_slug], name="dependent_is_a_step"
    ),
    Index("deps_by_step", "flow_slug", "step_slug"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", UUID(as_uuid=True), primary_key=True, server_default=text("pgflow.new_run_id()")),
    Column("flow_slug", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'started'")),
    Column("input", JSONB, nullable=False),
    Column("output", JSONB),
    Column("error_message", Text),
    Column("remaining_steps", Integer, nullable=False),
    Column("watched", Boolean, nullable=False, server_default=text("true")),
    Column("idempotency_key", Text),
    Column("started_at", _TIME, nullable=False, server_default=_NOW),
    Column("completed_at", _TIME),
    Column("failed_at", _TIME),
)
Index(
    "idempotency_key_is_unique_in_the_flow",
    runs.c.flow_slug,
    runs.c.idempotency_key,
    unique=True,
    postgresql_where=runs.c.idempotency_key.is_not(None),
)

step_states = Table(
    "step_states",
    metadata,
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("step_slug", Text, primary_key=True),
    Column("flow_slug", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'created'")),
    Column("initial_tasks", Integer),
    Column("remaining_tasks", Integer),
    Column("remaining_deps", Integer, nullable=False),
    Column("output", JSONB),
    Column("error_message", Text),
    Column("created_at", _TIME, nullable=False, server_default=_NOW),
    Column("started_at", _TIME),
    Column("completed_at", _TIME),
    Column("failed_at", _TIME),
    Index("idx_step_states_run_only", "run_id"),
)

step_tasks = Table(
    "step_tasks",
    metadata,
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("step_slug", Text, primary_key=True),
    Column("task_index", Integer, primary_key=True, autoincrement=False, server_default=text("0")),
    Column("flow_slug", Text, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("token", Integer, nullable=False, server_default=text("0")),
    Column("status", Text, nullable=False, server_default=text("'queued'")),
    Column("attempts_count", Integer, nullable=False, server_default=text("0")),
    Column("error_message", Text),
    Column("traceback", Text),
    Column("output", JSONB),
    Column("queued_at", _TIME, nullable=False, server_default=_NOW),
    Column("started_at", _TIME),
    Column("completed_at", _TIME),
    Column("failed_at", _TIME),
    Column("last_worker_id", UUID(as_uuid=True)),
    Column("item", JSONB),
)

task_items = Table(
    "task_items",
    metadata,
    Column("run_id", UUID(as_uuid=True), primary_key=True),
    Column("step_slug", Text, primary_key=True),
    Column("task_index", Integer, primary_key=True, autoincrement=False),
    Column("item", JSONB, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", UUID(as_uuid=True), primary_key=True),
    Column("queue_name", Text, nullable=False),
    Column("function_name", Text, nullable=False),
    Column("started_at", _TIME, nullable=False, server_default=_NOW),
    Column("stopped_at", _TIME),
    Column("last_heartbeat_at", _TIME, nullable=False, server_default=_NOW),
)

sleeping_workers = Table(
    "sleeping_workers",
    metadata,
    Column("queue_name", Text, primary_key=True),
    Column("worker_id", UUID(as_uuid=True), primary_key=True),
    Column("sleeping_until", _TIME, nullable=False),
    prefixes=["UNLOGGED"],
)
