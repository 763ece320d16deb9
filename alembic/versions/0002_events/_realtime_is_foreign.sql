-- Whether the database brings a realtime.send of its own (Supabase does), which delivers elsewhere: it is then called
-- for every event, watched or not, and NOTIFY goes beside it. Looked up at run time, since it can come and go.
-- Called wherever an event may be sent. Locks nothing.
create or replace function pgflow._realtime_is_foreign() returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- "create or replace" over ours keeps our comment, so the body is looked at as well.
  return not exists (
    select from pg_proc as p
    where p.oid = to_regprocedure('realtime.send(jsonb,text,text,boolean)')
      and p.prosrc like '%pgflow._notify_event(%'
      and obj_description(p.oid, 'pg_proc') like 'pgflow:%'
  );
end
$$;
