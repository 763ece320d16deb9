"""The SQL of `pgflow.inspection.health`: it reads catalogs and definitions, and runs for the invariants only.

Nothing here needs more than ``pgflow_migrator`` has, save the transactions of other roles: those take
``pg_read_all_stats``.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ABILITIES",
    "HAS_PGMQ",
    "INVARIANTS",
    "MISSING_QUEUES",
    "MISSING_ROLES",
    "OLD_TRANSACTIONS",
    "POWERLESS_ROLES",
    "SEES_OTHERS",
]

HAS_PGMQ: Final = "select exists (select from pg_catalog.pg_namespace where nspname = 'pgmq')"

# By the catalog and not to_regclass(), which asks for rights on the schema.
MISSING_QUEUES: Final = """\
select f.flow_slug
  from pgflow.flows as f
 where not exists (
   select from pg_catalog.pg_class as c
   join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
   where n.nspname = 'pgmq' and c.relname = 'q_' || lower(f.flow_slug)
 )
 order by f.flow_slug"""

MISSING_ROLES: Final = """\
select r.name
  from unnest(array['pgflow_client', 'pgflow_worker', 'pgflow_migrator']) as r (name)
 where to_regrole(r.name) is null"""

# Roles belong to the server: one may be younger than the schema, which was granted to those that there were.
POWERLESS_ROLES: Final = """\
select r.rolname::text
  from pg_catalog.pg_roles as r
 where r.rolname in ('pgflow_client', 'pgflow_worker', 'pgflow_migrator')
   and not has_schema_privilege(r.oid, 'pgflow', 'usage')
 order by r.rolname"""

# One function stands for each side: whoever was granted it was granted the others by the same statement.
ABILITIES: Final = """\
select current_user::text, a.ability,
       has_schema_privilege(p.pronamespace, 'usage') and has_function_privilege(p.oid, 'execute')
  from (values
         (1, 'start_flow', 'start runs'), (2, 'claim_tasks', 'work'), (3, 'ensure_flow', 'define flows')
       ) as a (place, function, ability)
  join pg_catalog.pg_proc as p on p.proname = a.function
  join pg_catalog.pg_namespace as n on n.oid = p.pronamespace and n.nspname = 'pgflow'
 order by a.place"""

SEES_OTHERS: Final = "select pg_has_role('pg_read_all_stats', 'usage')"

OLD_TRANSACTIONS: Final = """\
select format('session %%s of %%s (%%s)', a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'unnamed')),
       extract(epoch from clock_timestamp() - a.xact_start)::float8,
       format('select pg_terminate_backend(%%s)', a.pid)
  from pg_catalog.pg_stat_activity as a
 where a.datname = current_database()
   and a.backend_type = 'client backend'
   and a.pid <> pg_backend_pid()
   and a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s::float8)
union all
select format('prepared transaction %%L of %%s', x.gid, x.owner),
       extract(epoch from clock_timestamp() - x.prepared)::float8,
       format('rollback prepared %%L', x.gid)
  from pg_catalog.pg_prepared_xacts as x
 where x.database = current_database()
   and x.prepared < clock_timestamp() - make_interval(secs => %(seconds)s::float8)
 order by 2 desc
 limit 20"""

INVARIANTS: Final = """\
select c.invariant, c.run_id::text, c.step_slug, c.task_index, c.detail
  from pgflow.check_invariants() as c
 limit 20"""
