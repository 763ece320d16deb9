-- Compare a definition, as ensure_flow takes it, with the flow in the database: an error where there is none of that
-- slug, or one of another shape; the differences are then the lines of the error's detail.
-- Locks nothing. Called by ensure_flow and by a worker that may not define flows.
create or replace function pgflow.check_flow(p_definition jsonb) returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_slug text := p_definition ->> 'flow_slug';
  v_differences text[];
begin
  perform pgflow._require_flow(v_slug);
  v_differences := pgflow._compare_shape(p_definition);
  if v_differences <> '{}' then
    raise exception using
      errcode = 'PF006',
      message = format('the database holds flow %L in another shape: %s', v_slug, array_to_string(v_differences, '; ')),
      detail = array_to_string(v_differences, e'\n'),
      hint = 'Give the changed flow another slug, or delete it with its runs by registering it with replace=True.';
  end if;
end
$$;
