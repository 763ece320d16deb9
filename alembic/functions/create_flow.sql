-- Define a flow and create its queue; one that exists is returned as it is, its options unchanged.
-- Of a name that is far too long to be one, a message has the beginning.
-- Locks: an advisory lock on the slug whatever its case, until commit. Called by compiled flows and ensure_flow.
create or replace function pgflow.create_flow(
  flow_slug text,
  max_attempts integer default 3,
  base_delay integer default 1,
  timeout integer default 300
) returns pgflow.flows
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_flow pgflow.flows;
  v_twin text;
begin
  if not pgflow.is_valid_slug(create_flow.flow_slug) then
    raise exception using
      errcode = 'PF005',
      message = format('%L cannot name a flow', left(create_flow.flow_slug, 200)),
      hint = 'A slug has letters, digits, "_" and "-", starts with a letter or "_", and is not "run".';
  end if;
  if length(create_flow.flow_slug) > 47 or create_flow.flow_slug like '%--%' then
    raise exception using
      errcode = 'PF005',
      message = format('%L cannot name a flow: a queue is named after it', left(create_flow.flow_slug, 200)),
      hint = 'A flow''s slug has at most 47 characters and no "--".';
  end if;

  perform pg_advisory_xact_lock(hashtextextended('pgflow.flow:' || lower(create_flow.flow_slug), 0));

  select f.* into v_flow from pgflow.flows as f where f.flow_slug = create_flow.flow_slug;
  if found then
    return v_flow;
  end if;

  select f.flow_slug into v_twin from pgflow.flows as f where lower(f.flow_slug) = lower(create_flow.flow_slug);
  if found then
    raise exception using
      errcode = 'PF005',
      message = format(
        'flow %L differs only in case from flow %L: they would share a queue', create_flow.flow_slug, v_twin
      ),
      hint = 'Give the flow another slug.';
  end if;
  -- Another flow's table can also bear the name that pgmq would give to an index or sequence of this one's.
  if to_regclass(format('pgmq.%I', 'q_' || lower(create_flow.flow_slug))) is not null
    or to_regclass(format('pgmq.%I', 'q_' || lower(create_flow.flow_slug) || '_vt_idx')) is not null
    or to_regclass(format('pgmq.%I', 'q_' || lower(create_flow.flow_slug) || '_msg_id_seq')) is not null
  then
    raise exception using
      errcode = 'PF007',
      message = format(
        'flow %L cannot be created: a pgmq queue of that name exists and is not ours', create_flow.flow_slug
      ),
      hint = 'Give the flow another slug, or drop the queue with pgmq.drop_queue().';
  end if;

  insert into pgflow.flows (flow_slug, opt_max_attempts, opt_base_delay, opt_timeout)
  values (
    create_flow.flow_slug,
    coalesce(create_flow.max_attempts, 3),
    coalesce(create_flow.base_delay, 1),
    coalesce(create_flow.timeout, 300)
  )
  returning * into v_flow;

  perform pgmq.create(create_flow.flow_slug);
  -- A queue is mostly dead rows: without these settings a read walks over all of them. And a claim writes each message
  -- anew, which is cheaper on the same page.
  execute format(
    'alter table pgmq.%I set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, '
    'autovacuum_vacuum_cost_delay = 0)',
    'q_' || lower(create_flow.flow_slug)
  );
  return v_flow;
end
$$;
