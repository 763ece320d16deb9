"""The SQL by which a revision has the tables to itself before it changes anything."""

from __future__ import annotations

__all__ = ["HOLD_TABLES"]

# Whoever is in the middle of a transaction may hold one table and be about to ask for another: waiting for them while
# holding what they ask for would be a deadlock, of which PostgreSQL makes an error for one of the two. So nothing is
# held for longer than a tenth of the second after which it looks for deadlocks. The version table is left out, so that
# who connects meanwhile finds the old revision and then waits for the tables.
HOLD_TABLES = """
do $pgflow_hold$
declare
  v_tables constant text := (
    select string_agg(c.oid::regclass::text, ', ' order by c.oid)
      from pg_catalog.pg_class as c
     where c.relnamespace = to_regnamespace('pgflow') and c.relkind = 'r' and c.relname <> 'alembic_version'
  );
  v_lock_timeout constant text := current_setting('lock_timeout');
  v_gives_up_at constant timestamptz := clock_timestamp() + interval '60 seconds';
begin
  if v_tables is null then
    return;
  end if;
  set local lock_timeout = '100ms';
  loop
    begin
      execute 'lock table ' || v_tables || ' in access exclusive mode';
      exit;
    exception
      when lock_not_available then
        if clock_timestamp() > v_gives_up_at then
          raise exception 'for 60 seconds a transaction of somebody else has held tables of pgflow'
            using
              errcode = 'lock_not_available',
              hint = 'Nothing was changed. pg_stat_activity shows which: end it, then migrate again.';
        end if;
    end;
    perform pg_sleep(0.05);
  end loop;
  perform set_config('lock_timeout', v_lock_timeout, true);
end
$pgflow_hold$;
"""
