-- Refuse a flow that the database does not know. Of a name that is far too long to be one, the beginning is told.
-- Called by _hold_flow, _known_flows, check_flow and start_tasks. Locks nothing.
create or replace function pgflow._require_flow(p_flow_slug text) returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from pgflow.flows as f where f.flow_slug = p_flow_slug;
  if not found then
    raise exception using
      errcode = 'PF001',
      message = format('there is no flow %L in the database', left(p_flow_slug, 200)),
      hint = 'Register the flow, or start its worker, which does.';
  end if;
end
$$;
