-- NOTIFY an event. A payload must stay under 8,000 bytes in the server's encoding: a larger event goes without its
-- input and output and with its error message cut, and says so by "truncated"; whoever needs the rest reads the tables.
-- One that was cut before comes with p_is_cut.
-- Called by realtime.send and by _broadcast, beside a foreign one or in its stead. Locks nothing before commit.
create or replace function pgflow._notify_event(
  p_payload jsonb,
  p_event text,
  p_topic text,
  p_is_cut boolean default false
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text;
begin
  -- What is far too large is not serialised just to be measured.
  if not p_is_cut and pg_column_size(p_payload) <= 32768 then
    v_text := jsonb_build_object('event', p_event, 'payload', p_payload)::text;
  end if;
  if v_text is null or octet_length(v_text) >= 8000 then
    v_text := jsonb_build_object(
      'event', p_event,
      'payload', (p_payload - 'input' - 'output') || case
        -- One character is at most six bytes here: an escaped control character.
        when p_payload ? 'error_message' then
          jsonb_build_object('error_message', left(p_payload ->> 'error_message', 1000))
        else '{}'
      end,
      'truncated', true
    )::text;
  end if;
  perform pg_notify(p_topic, v_text);
end
$$;
