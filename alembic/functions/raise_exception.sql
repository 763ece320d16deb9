-- Raise from within a SQL expression. Returns a type that fits where the expression stands, though it never returns.
create or replace function pgflow.raise_exception(message text) returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '%', message;
end
$$;
