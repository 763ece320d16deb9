-- Add a step to a flow, after the steps it depends on; the same step again is returned as it is. Null options are the
-- flow's. Of a name that is far too long to be one, a message has the beginning.
-- Locks: create_flow's advisory lock, so that steps are numbered one after the other, and none is added to a flow that
-- is being deleted or replaced.
-- Called by compiled flows and ensure_flow.
create or replace function pgflow.add_step(
  flow_slug text,
  step_slug text,
  deps_slugs text[] default '{}',
  max_attempts integer default null,
  base_delay integer default null,
  timeout integer default null,
  start_delay integer default null,
  step_type text default 'single',
  handler_name text default null
) returns pgflow.steps
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_deps text[] := coalesce(add_step.deps_slugs, '{}');
  v_type text := coalesce(add_step.step_type, 'single');
  v_flow text := left(add_step.flow_slug, 200);
  v_missing text;
  v_step pgflow.steps;
begin
  if not pgflow.is_valid_slug(add_step.step_slug) then
    raise exception using
      errcode = 'PF005',
      message = format('%L cannot name a step of flow %L', left(add_step.step_slug, 200), v_flow),
      hint = 'A slug has letters, digits, "_" and "-", starts with a letter or "_", and is not "run".';
  end if;
  if v_type not in ('single', 'fanout') then
    raise exception using
      errcode = 'PF007',
      message = format('step type %L is neither ''single'' nor ''fanout''', left(v_type, 200));
  end if;
  if v_type = 'fanout' and cardinality(v_deps) = 0 then
    raise exception using errcode = 'PF007', message = 'Fanout steps cannot be root steps';
  end if;
  if v_type = 'fanout' and cardinality(v_deps) <> 1 then
    raise exception using errcode = 'PF007', message = 'Fanout steps must have exactly one dependency';
  end if;
  if (select count(*) <> count(distinct d) from unnest(v_deps) as d) then
    raise exception using
      errcode = 'PF007',
      message = format('step %L of flow %L lists a dependency twice', add_step.step_slug, v_flow);
  end if;

  perform pg_advisory_xact_lock(hashtextextended('pgflow.flow:' || lower(add_step.flow_slug), 0));
  perform from pgflow.flows as f where f.flow_slug = add_step.flow_slug;
  if not found then
    raise exception using
      errcode = 'PF001',
      message = format('there is no flow %L to add step %L to', v_flow, add_step.step_slug),
      hint = 'Create it first with pgflow.create_flow().';
  end if;

  select s.* into v_step from pgflow.steps as s
  where s.flow_slug = add_step.flow_slug and s.step_slug = add_step.step_slug;
  if found then
    if v_step.step_type <> v_type
      or v_deps <@ array(
        select d.dep_slug from pgflow.deps as d
        where d.flow_slug = add_step.flow_slug and d.step_slug = add_step.step_slug
      ) is not true
      or cardinality(v_deps) <> v_step.deps_count
    then
      raise exception using
        errcode = 'PF006',
        message = format('step %L of flow %L exists with another type or other dependencies',
          add_step.step_slug, add_step.flow_slug);
    end if;
    return v_step;
  end if;

  select d into v_missing from unnest(v_deps) as d
  where not exists (select from pgflow.steps as s where s.flow_slug = add_step.flow_slug and s.step_slug = d)
  limit 1;
  if found then
    raise exception using
      errcode = 'PF009',
      message = format('step %L of flow %L depends on %L, which the flow does not have',
        add_step.step_slug, v_flow, left(v_missing, 200)),
      hint = 'Add the dependency first.';
  end if;

  insert into pgflow.steps (
    flow_slug, step_slug, step_index, deps_count, handler_name,
    opt_max_attempts, opt_base_delay, opt_timeout, opt_start_delay, step_type
  )
  values (
    add_step.flow_slug,
    add_step.step_slug,
    (select coalesce(max(s.step_index) + 1, 0) from pgflow.steps as s where s.flow_slug = add_step.flow_slug),
    cardinality(v_deps),
    add_step.handler_name,
    add_step.max_attempts,
    add_step.base_delay,
    add_step.timeout,
    add_step.start_delay,
    v_type
  )
  returning * into v_step;

  insert into pgflow.deps (flow_slug, dep_slug, step_slug)
  select add_step.flow_slug, d, add_step.step_slug from unnest(v_deps) as d;
  return v_step;
end
$$;
