-- Send one event of a run: a payload of p_base and, beside it, what may be of any size. If they are together more than
-- jsonb can hold, the event goes without the latter and says so.
-- The caller has found that someone is to hear it: the run is watched, or realtime.send is foreign.
-- Called by _broadcast_run and _broadcast_steps. Locks nothing before commit.
create or replace function pgflow._broadcast(
  p_run_id uuid,
  p_event text,
  p_base jsonb,
  p_key text,
  p_value jsonb,
  p_is_watched boolean,
  p_is_foreign boolean
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_topic text := 'pgflow:run:' || p_run_id;
  v_payload jsonb := p_base;
  v_is_cut boolean := false;
begin
  if p_key is not null then
    begin
      v_payload := p_base || jsonb_build_object(p_key, p_value);
    exception when program_limit_exceeded then
      v_is_cut := true;
    end;
  end if;
  if p_is_foreign or not v_is_cut then
    perform realtime.send(v_payload, p_event, v_topic, false);
  end if;
  if p_is_watched and (p_is_foreign or v_is_cut) then
    perform pgflow._notify_event(v_payload, p_event, v_topic, v_is_cut);
  end if;
end
$$;
