-- Those of the flows that the database knows, in their order: one that was deleted does not keep a worker from the
-- others. Refuses when there is none at all. Called by claim_tasks and sleep_on_queues. Locks nothing.
create or replace function pgflow._known_flows(p_flow_slugs text[]) returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_known text[];
begin
  if cardinality(p_flow_slugs) = 1 and exists (select from pgflow.flows as f where f.flow_slug = p_flow_slugs[1]) then
    return p_flow_slugs;
  end if;
  select array_agg(e.slug order by e.n) into v_known
  from (select e.slug, min(e.n) as n from unnest(p_flow_slugs) with ordinality as e (slug, n) group by e.slug) as e
  where exists (select from pgflow.flows as f where f.flow_slug = e.slug);
  if v_known is null and p_flow_slugs <> '{}' then
    perform pgflow._require_flow(p_flow_slugs[1]);
  end if;
  return coalesce(v_known, '{}');
end
$$;
