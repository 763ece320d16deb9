-- Send one event of a run. The caller has found that someone is to hear it: the run is watched, or realtime.send is
-- foreign. Called by _broadcast_run and _broadcast_steps. Locks nothing before commit.
create or replace function pgflow._broadcast(
  p_run_id uuid,
  p_event text,
  p_payload jsonb,
  p_is_watched boolean,
  p_is_foreign boolean
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_topic text := 'pgflow:run:' || p_run_id;
begin
  perform realtime.send(p_payload, p_event, v_topic, false);
  if p_is_foreign and p_is_watched then
    perform pgflow._notify_event(p_payload, p_event, v_topic);
  end if;
end
$$;
