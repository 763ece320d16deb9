-- Claim up to qty messages of a flow's queue for vt seconds and start their tasks; with none, look again every
-- poll_interval_ms for up to max_poll_seconds, 0 for one look. For workers that know this function only: one that
-- listens should call claim_tasks and never wait inside a statement.
-- Locks: messages, then tasks, all with skip locked. Called by plain SQL.
create or replace function pgflow.poll_for_tasks(
  queue_name text,
  vt integer,
  qty integer,
  max_poll_seconds integer default 5,
  poll_interval_ms integer default 100,
  worker_id uuid default null
) returns setof pgflow.step_task_record
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_had_written boolean := pg_current_xact_id_if_assigned() is not null;
  v_deadline timestamptz := clock_timestamp() + make_interval(secs => coalesce(max_poll_seconds, 0));
begin
  loop
    return query select t.* from pgflow.claim_tasks(array[queue_name], qty, vt, worker_id) as t;
    exit when found or clock_timestamp() >= v_deadline;
    -- A claim that started nothing may have failed a run: until the commit nobody hears of it.
    exit when not v_had_written and pg_current_xact_id_if_assigned() is not null;
    perform pg_sleep(greatest(poll_interval_ms, 1) / 1000.0);
  end loop;
end
$$;
