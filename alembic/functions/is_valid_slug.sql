-- Whether a text can name a flow or a step: letters, digits, '_' and '-', starting with a letter or '_', at most 128
-- characters, and not the word that names the run in events and in task input.
-- Called by the tables' constraints, create_flow and add_step. Locks nothing.
create or replace function pgflow.is_valid_slug(slug text) returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(length(slug) <= 128 and slug ~ '^[A-Za-z_][A-Za-z0-9_-]*$' and slug <> 'run', false)
$$;
