-- Count completed tasks of fan-out steps, and complete the steps that have none left. The arrays run in parallel.
-- Locks: the steps, then as _complete_step; the caller holds the runs. Called by _complete_many.
create or replace function pgflow._advance_fanouts(
  p_flow_slug text,
  p_run_ids uuid[],
  p_step_slugs text[],
  p_completed_tasks integer[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_complete record;
begin
  for v_complete in
    with located as materialized (
      select s.located, e.completed_tasks
      from unnest(p_run_ids, p_step_slugs, p_completed_tasks) as e (run_id, step_slug, completed_tasks)
      cross join lateral (
        select s.ctid as located from pgflow.step_states as s
        where s.run_id = e.run_id and s.step_slug = e.step_slug
        limit 1
      ) as s
    ),
    advanced as (
      update pgflow.step_states as s
      set remaining_tasks = s.remaining_tasks - l.completed_tasks
      from located as l
      where s.ctid = l.located
      returning s.run_id, s.step_slug, s.remaining_tasks
    )
    select run_id, step_slug from advanced where remaining_tasks = 0
  loop
    perform pgflow._complete_fanout(p_flow_slug, v_complete.run_id, v_complete.step_slug);
  end loop;
end
$$;
