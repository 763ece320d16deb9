"""The SQL that the client and the worker send: one statement for each function of the engine, and a few of sessions.

Arguments go by name, so that a parameter added to a function later changes nothing here. What comes back is text,
numbers and booleans only: rows with JSON in them cross as JSON text, which reads the same on a connection of ours, on
one that another library has taught its own loaders, and through SQLAlchemy or Django.

A function of pg_catalog that takes a value of any type bears the schema's name: by itself it would yield to one that
somebody has made for just that type in a schema of the session's path.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = [
    "CHECK_FLOW",
    "CLAIM_RUN_TASKS",
    "CLAIM_TASKS",
    "COMPLETE_TASKS",
    "ENSURE_FLOW",
    "EXPIRE_TRANSACTION",
    "EXTEND_LEASES",
    "FAIL_TASKS",
    "FLOW_SHAPE",
    "HEARTBEAT_WORKER",
    "NOTIFY",
    "OLDEST_CODE",
    "REGISTER_WORKER",
    "RELEASE_TASKS",
    "RUNS_WITH_STATES",
    "RUN_STATUSES",
    "RUN_WITH_STATES",
    "SCHEMA_VERSION",
    "SETTLE",
    "SLEEP_ON_QUEUES",
    "START_FLOW",
    "START_FLOWS",
    "START_TASKS",
    "STOP_WORKER",
    "WATCH_RUNS",
    "listen",
    "unlisten",
]

SCHEMA_VERSION: Final = "select version_num from pgflow.alembic_version"

OLDEST_CODE: Final = "select pgflow.oldest_code()"

# Definition

ENSURE_FLOW: Final = """\
select pgflow.ensure_flow(p_definition => %(definition)s::jsonb, p_replace => %(replace)s::boolean)"""

CHECK_FLOW: Final = "select pgflow.check_flow(p_definition => %(definition)s::jsonb)"

# Of the tables and not by a function: whoever calls this takes a role that may read them.
FLOW_SHAPE: Final = """\
select s.step_slug as slug, s.step_type = 'fanout' as is_fanout,
       array(
         select d.dep_slug
           from pgflow.deps d
           join pgflow.steps p on p.flow_slug = d.flow_slug and p.step_slug = d.dep_slug
          where d.flow_slug = s.flow_slug and d.step_slug = s.step_slug
          order by p.step_index
       ) as deps,
       s.handler_name, s.opt_max_attempts as max_attempts, s.opt_base_delay as base_delay, s.opt_timeout as timeout,
       s.opt_start_delay as start_delay
  from pgflow.steps s
 where s.flow_slug = %(flow_slug)s
 order by s.step_index"""

# Starting

START_FLOW: Final = """\
select pg_catalog.to_json(r)::text
  from pgflow.start_flow(flow_slug => %(flow_slug)s::text, input => %(input)s::jsonb, run_id => %(run_id)s::uuid,
                         idempotency_key => %(idempotency_key)s::text, watched => false) r"""

START_FLOWS: Final = """\
select pg_catalog.to_json(r)::text
  from pgflow.start_flows(p_flow_slug => %(flow_slug)s::text, p_inputs => %(inputs)s::jsonb[],
                          p_watched => false) r"""

# Following

RUN_WITH_STATES: Final = """\
select pg_catalog.to_json(s.run)::text, pg_catalog.to_json(s.steps)::text
  from pgflow.get_run_with_states(p_run_id => %(run_id)s::uuid) s"""

RUNS_WITH_STATES: Final = """\
select (s.run).run_id::text, pg_catalog.to_json(s.run)::text, pg_catalog.to_json(s.steps)::text
  from pgflow.get_runs_with_states(p_run_ids => %(run_ids)s::uuid[]) s"""

# An argument is evaluated before the call, so that its locks are waited for briefly; and a setting for one transaction
# stays out of a session that a pooler lends to somebody else next.
WATCH_RUNS: Final = """\
select (s.run).run_id::text, pg_catalog.to_json(s.run)::text, pg_catalog.to_json(s.steps)::text
  from pgflow.watch_runs(p_run_ids => case when set_config('lock_timeout', '50ms', true) is not null
                                           then %(run_ids)s::uuid[] end) s"""

RUN_STATUSES: Final = """\
select s.run_id::text, s.status, s.version from pgflow.get_run_statuses(p_run_ids => %(run_ids)s::uuid[]) s"""

NOTIFY: Final = "select pg_notify(%(channel)s::text, '')"

# Working

_TASK_RECORD: Final = (
    "select t.flow_slug, t.run_id::text, t.step_slug, t.input::text, t.msg_id, t.task_index, t.token, t.attempts_count"
)

_TASK_KEY: Final = "select t.run_id::text, t.step_slug, t.task_index, t.token"

_TASK_KEYS: Final = """\
p_run_ids => %(run_ids)s::uuid[], p_step_slugs => %(step_slugs)s::text[], p_task_indexes => %(task_indexes)s::int[],
p_tokens => %(tokens)s::int[]"""

CLAIM_TASKS: Final = f"""\
{_TASK_RECORD}
  from pgflow.claim_tasks(p_flow_slugs => %(flow_slugs)s::text[], p_qty => %(qty)s::int,
                          p_lease => %(lease)s::double precision, p_worker_id => %(worker_id)s::uuid) t"""

CLAIM_RUN_TASKS: Final = f"""\
{_TASK_RECORD}
  from pgflow.claim_run_tasks(p_run_id => %(run_id)s::uuid, p_lease => %(lease)s::double precision,
                              p_worker_id => %(worker_id)s::uuid) t"""

START_TASKS: Final = f"""\
{_TASK_RECORD}
  from pgflow.start_tasks(flow_slug => %(flow_slug)s::text, msg_ids => %(msg_ids)s::bigint[],
                          worker_id => %(worker_id)s::uuid) t"""

COMPLETE_TASKS: Final = f"""\
{_TASK_KEY} from pgflow.complete_tasks({_TASK_KEYS}, p_outputs => %(outputs)s::jsonb[]) t"""

FAIL_TASKS: Final = f"""\
{_TASK_KEY}
  from pgflow.fail_tasks({_TASK_KEYS}, p_error_messages => %(error_messages)s::text[],
                         p_permanent => %(permanent)s::boolean[],
                         p_retry_delays => %(retry_delays)s::double precision[],
                         p_tracebacks => %(tracebacks)s::text[]) t"""

EXTEND_LEASES: Final = f"""\
{_TASK_KEY} from pgflow.extend_leases({_TASK_KEYS}, p_lease => %(lease)s::double precision) t"""

RELEASE_TASKS: Final = f"""\
{_TASK_KEY} from pgflow.release_tasks({_TASK_KEYS}) t"""

SLEEP_ON_QUEUES: Final = """\
select pgflow.sleep_on_queues(p_worker_id => %(worker_id)s::uuid, p_flow_slugs => %(flow_slugs)s::text[],
                              p_seconds => %(seconds)s::double precision)"""

REGISTER_WORKER: Final = """\
select pgflow.register_worker(p_worker_id => %(worker_id)s::uuid, p_queue_name => %(queue_name)s::text,
                              p_function_name => %(function_name)s::text)"""

HEARTBEAT_WORKER: Final = "select pgflow.heartbeat_worker(p_worker_id => %(worker_id)s::uuid)"

STOP_WORKER: Final = "select pgflow.stop_worker(p_worker_id => %(worker_id)s::uuid)"

# Sessions

# Whether the session is not the one that was announced when it was connected to, because a pooler lends others; only
# if it is, it gets a setting that lasts.
SETTLE: Final = """\
select s.is_lent, set_config('statement_timeout', '0', s.is_lent or %(is_shared)s::boolean),
       set_config('default_transaction_isolation', 'read committed', s.is_lent or %(is_shared)s::boolean)
  from (select pg_backend_pid() <> %(pid)s::bigint as is_lent) s"""

# A transaction that outlasts its attempt would keep its locks from the next one: the server ends it then.
EXPIRE_TRANSACTION: Final = """\
select set_config('statement_timeout', %(milliseconds)s::text, true),
       set_config('idle_in_transaction_session_timeout', %(milliseconds)s::text, true)"""


def listen(channels: Iterable[str]) -> str:
    """Return one text that listens on all these channels."""
    return ";".join(f"listen {_quoted(channel)}" for channel in channels)


def unlisten(channels: Iterable[str]) -> str:
    """Return one text that stops listening on all these channels."""
    return ";".join(f"unlisten {_quoted(channel)}" for channel in channels)


def _quoted(channel: str) -> str:
    return '"' + channel.replace('"', '""') + '"'
