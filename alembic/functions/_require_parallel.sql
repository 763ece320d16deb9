-- Refuse a batch whose arrays differ in length: what a shorter one lacks would be null, and a null token unfenced.
-- Called by the batch forms of the reports. Locks nothing.
create or replace function pgflow._require_parallel(variadic p_lengths integer[]) returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if (p_lengths[1] = all(p_lengths)) is not true then
    raise exception using
      errcode = 'PF007',
      message = format('the arrays of a batch must be of one length, and these have %s', p_lengths);
  end if;
end
$$;
