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
    cross join lateral (
      select from pg_description as d
      where d.objoid = p.oid and d.classoid = 'pg_proc'::regclass and d.objsubid = 0 and d.description like 'pgflow:%'
      limit 1
    ) as d
    where p.oid = to_regprocedure('realtime.send(jsonb,text,text,boolean)')
      and p.prosrc like '%pgflow._notify_event(%'
  );
end
$$;
