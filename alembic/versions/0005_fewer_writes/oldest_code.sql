-- The oldest revision whose code works with this schema. Workers and clients that were written for it, or for a later
-- one, go on after an upgrade and may connect anew. A revision that takes away what such code calls replaces this.
-- Locks nothing. Called by workers and clients that find a revision newer than they know.
create or replace function pgflow.oldest_code() returns text
language sql
immutable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
as $$
  select '0001_core'
$$;
