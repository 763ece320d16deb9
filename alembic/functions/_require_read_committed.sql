-- Refuse every other isolation level: a transition checks again, under its locks, what it saw before them, and only
-- READ COMMITTED gives it a fresh look. Called first by every transition. Locks nothing.
create or replace function pgflow._require_read_committed() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception using
      errcode = 'PF008',
      message = format(
        'pgflow changes the state of a run in READ COMMITTED only, and this transaction is %s',
        upper(current_setting('transaction_isolation'))
      ),
      hint = 'Call it on a connection or in a transaction at the default isolation level.';
  end if;
end
$$;
