-- Whether a fan-out step of the run depends on this one, whose output must then be an array; one that was added to the
-- flow since does not. Locks nothing.
-- Called by _complete_one and _complete_many, for outputs that are none.
create or replace function pgflow._feeds_fanout(p_flow_slug text, p_run_id uuid, p_step_slug text) returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select from pgflow.deps as d
    cross join lateral (
      select s.step_type from pgflow.steps as s
      where s.flow_slug = d.flow_slug and s.step_slug = d.step_slug
      limit 1
    ) as s
    cross join lateral (
      select from pgflow.step_states as c where c.run_id = p_run_id and c.step_slug = d.step_slug limit 1
    ) as c
    where d.flow_slug = p_flow_slug and d.dep_slug = p_step_slug and s.step_type = 'fanout'
  );
end
$$;
