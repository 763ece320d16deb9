-- Bring a definition into the database: a flow that is missing is created, changed options are updated, and another
-- shape (steps, dependencies) is refused as check_flow does.
-- The definition is {flow_slug, max_attempts, base_delay, timeout, steps: [{step_slug, deps, handler_name,
-- max_attempts, base_delay, timeout, start_delay}]}, the steps after their dependencies.
-- With p_replace the flow is deleted first, with its runs.
-- Locks: create_flow's advisory lock, so that workers that start together define it once; as delete_flow to replace.
-- Called by a starting worker and by a client's register.
create or replace function pgflow.ensure_flow(p_definition jsonb, p_replace boolean default false) returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_slug text := p_definition ->> 'flow_slug';
begin
  perform pg_advisory_xact_lock(hashtextextended('pgflow.flow:' || lower(v_slug), 0));
  if p_replace then
    perform pgflow.delete_flow(v_slug);
  end if;

  if exists (select from pgflow.flows as f where f.flow_slug = v_slug) then
    perform pgflow.check_flow(p_definition);
  else
    perform pgflow.create_flow(v_slug);
    perform pgflow.add_step(
      flow_slug => v_slug,
      step_slug => s.step ->> 'step_slug',
      deps_slugs => array(select jsonb_array_elements_text(s.step -> 'deps'))
    )
    from jsonb_array_elements(p_definition -> 'steps') with ordinality as s (step, n)
    order by s.n;
  end if;

  update pgflow.flows as f
  set opt_max_attempts = d.max_attempts, opt_base_delay = d.base_delay, opt_timeout = d.timeout
  from jsonb_to_record(p_definition) as d (max_attempts integer, base_delay integer, timeout integer)
  where f.flow_slug = v_slug
    and (f.opt_max_attempts, f.opt_base_delay, f.opt_timeout)
      is distinct from (d.max_attempts, d.base_delay, d.timeout);

  update pgflow.steps as s
  set
    handler_name = d.handler_name,
    opt_max_attempts = d.max_attempts,
    opt_base_delay = d.base_delay,
    opt_timeout = d.timeout,
    opt_start_delay = d.start_delay
  from jsonb_to_recordset(p_definition -> 'steps') as d (
    step_slug text, handler_name text, max_attempts integer, base_delay integer, timeout integer, start_delay integer
  )
  where s.flow_slug = v_slug
    and s.step_slug = d.step_slug
    and (s.handler_name, s.opt_max_attempts, s.opt_base_delay, s.opt_timeout, s.opt_start_delay)
      is distinct from (d.handler_name, d.max_attempts, d.base_delay, d.timeout, d.start_delay);
end
$$;
