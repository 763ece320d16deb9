-- What the database records about itself, in the transactions that it is about: every transition of a run, a step and a
-- task, and every event. Rows of one run are numbered in the order of their commits, since transitions are made under
-- the lock of the run or of the task.
create schema chaos;

create table chaos.run_changes (
  n bigint generated always as identity primary key,
  run_id uuid not null,
  before text,
  after text not null
);

create table chaos.step_changes (
  n bigint generated always as identity primary key,
  run_id uuid not null,
  step_slug text not null,
  before text,
  after text not null
);

create table chaos.task_changes (
  n bigint generated always as identity primary key,
  run_id uuid not null,
  step_slug text not null,
  task_index integer not null,
  before text,
  after text not null,
  token integer not null,
  attempts_count integer not null,
  worker_id uuid,
  error_message text,
  -- When the transaction of the change began, and when the row was written.
  began timestamptz not null default transaction_timestamp(),
  at timestamptz not null default clock_timestamp()
);

create table chaos.events (
  n bigint generated always as identity primary key,
  run_id uuid not null,
  name text not null,
  payload jsonb not null
);

-- What handlers write in the transaction in which their task completes; no constraint keeps a second row out.
create table chaos.effects (
  task text not null
);

create function chaos.note_run() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into chaos.run_changes (run_id, before, after)
  values (new.run_id, case tg_op when 'UPDATE' then old.status end, new.status);
  return null;
end
$$;

create function chaos.note_step() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into chaos.step_changes (run_id, step_slug, before, after)
  values (new.run_id, new.step_slug, case tg_op when 'UPDATE' then old.status end, new.status);
  return null;
end
$$;

create function chaos.note_task() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into chaos.task_changes
    (run_id, step_slug, task_index, before, after, token, attempts_count, worker_id, error_message)
  values (
    new.run_id, new.step_slug, new.task_index, case tg_op when 'UPDATE' then old.status end, new.status,
    new.token, new.attempts_count, new.last_worker_id, new.error_message
  );
  return null;
end
$$;

create trigger a_run_begins after insert on pgflow.runs for each row execute function chaos.note_run();
create trigger a_run_moves after update of status on pgflow.runs for each row execute function chaos.note_run();
create trigger a_step_begins after insert on pgflow.step_states for each row execute function chaos.note_step();
-- A step that stays created has only come nearer to its start; any other state that is written twice is told.
create trigger a_step_moves after update of status on pgflow.step_states for each row
when (old.status <> 'created' or new.status <> 'created') execute function chaos.note_step();
create trigger a_task_begins after insert on pgflow.step_tasks for each row execute function chaos.note_task();
create trigger a_task_moves after update of status on pgflow.step_tasks for each row execute function chaos.note_task();

-- The engine takes this for a realtime.send of the database's own and calls it for every event, watched or not.
create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  insert into chaos.events (run_id, name, payload)
  values (replace(topic, 'pgflow:run:', '')::uuid, event, payload);
end
$$;
