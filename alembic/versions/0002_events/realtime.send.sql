-- Broadcast an event to whoever listens on the topic, for databases that bring no realtime.send of their own: NOTIFY
-- with the JSON object {"event": …, "payload": {…}} on the channel of the topic's name.
-- The comment marks it as ours, for upgrades, downgrades and _realtime_is_foreign. Locks nothing before commit.
create or replace function realtime.send(
  payload jsonb,
  event text,
  topic text,
  private boolean default true
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgflow._notify_event(payload, event, topic);
end
$$;

comment on function realtime.send(jsonb, text, text, boolean) is 'pgflow: delivers by NOTIFY';
