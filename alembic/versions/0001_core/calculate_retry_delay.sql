-- Seconds to wait after a failed attempt: base_delay doubled for each attempt made, the failed one included; it
-- saturates instead of overflowing. fail_task caps and jitters what it makes of this. Locks nothing.
create or replace function pgflow.calculate_retry_delay(base_delay numeric, attempts_count integer) returns integer
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select least(2147483647, floor(base_delay * power(2::numeric, least(attempts_count, 64))))::integer
$$;
