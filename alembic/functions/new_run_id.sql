-- A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then random. Runs started together are neighbours in every
-- index, so starting one touches warm pages however many finished runs there are.
-- The default of runs.run_id. Locks nothing.
create or replace function pgflow.new_run_id() returns uuid
language plpgsql
volatile
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A random UUID is of version 4, 0100 in bits: two bits more make it 7.
  return encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6
        ),
        52,
        1
      ),
      53,
      1
    ),
    'hex'
  )::uuid;
end
$$;
