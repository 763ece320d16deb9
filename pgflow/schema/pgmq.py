"""The SQL that brings pgmq into a database, and takes away again what it brought."""

from __future__ import annotations

__all__ = ["install_sql", "missing_sql", "uninstall_sql"]

_MARKER = "Created by the migrations of pgflow, which drop it with themselves."

_MISSING = """
select string_agg(format('pgmq.%s(%s)', needed.name, array_to_string(needed.arguments, ', ')), ', ')
  from (values
    ('create', '{text}'::regtype[]),
    ('drop_queue', '{text}'),
    ('send_batch', '{text,jsonb[],integer}'),
    ('delete', '{text,bigint[]}')
  ) as needed (name, arguments)
 where not exists (
   select 1
     from pg_catalog.pg_proc as p
    where p.pronamespace = 'pgmq'::regnamespace
      and p.proname = needed.name
      and cardinality(needed.arguments) between p.pronargs - p.pronargdefaults and p.pronargs
      and (string_to_array(p.proargtypes::text, ' ')::oid[])[1:cardinality(needed.arguments)]
          = needed.arguments::oid[]
 )
"""

_INSTALL = """
do $pgflow_install$
declare
  v_is_new boolean := to_regnamespace('pgmq') is null;
  v_missing text;
begin
  if to_regclass('pgmq.meta') is null then
    if exists (select 1 from pg_catalog.pg_available_extensions where name = 'pgmq') then
      create extension pgmq;
    else
      execute $pgflow_pgmq${pgmq}$pgflow_pgmq$;
    end if;
    if v_is_new then
      comment on schema pgmq is '{marker}';
    end if;
  end if;

  v_missing := ({missing});
  if v_missing is not null then
    raise exception 'The pgmq of this database is too old for pgflow: it lacks %. '
                    'Update it, then migrate again.', v_missing;
  end if;
end
$pgflow_install$;
"""

_UNINSTALL = """
do $pgflow_uninstall$
declare
  v_in_use boolean;
begin
  if obj_description(to_regnamespace('pgmq'), 'pg_namespace') is distinct from '{marker}' then
    return;
  end if;
  execute 'select exists (select 1 from pgmq.meta)' into v_in_use;
  if v_in_use then
    raise notice 'pgmq stays, for it has queues that are not of pgflow';
  elsif exists (select 1 from pg_catalog.pg_extension where extname = 'pgmq') then
    drop extension pgmq;
    drop schema if exists pgmq;
  else
    drop schema pgmq cascade;
  end if;
end
$pgflow_uninstall$;
"""


def install_sql() -> str:
    """SQL that leaves a database with a pgmq that pgflow can use.

    A pgmq that is there already is left as it is. Otherwise it comes from the extension, where the server offers one,
    else from the SQL that the ``pgmq`` package ships; a comment on its schema remembers that it was us. The statement
    fails, naming what is missing, where pgmq is too old: pgflow needs ``create``, ``drop_queue``, ``send_batch`` and
    ``delete``, and the queue tables' columns ``msg_id``, ``read_ct``, ``vt`` and ``message``.
    """
    from pgmq.install import get_embedded_install_sql

    return _INSTALL.format(pgmq=get_embedded_install_sql(), marker=_MARKER, missing=_MISSING)


def missing_sql() -> str:
    """A query for the functions of pgmq that pgflow needs and a database's pgmq lacks, as one text; null if none."""
    return _MISSING


def uninstall_sql() -> str:
    """SQL that drops a pgmq which `install_sql` created, unless it has queues left."""
    return _UNINSTALL.format(marker=_MARKER)
