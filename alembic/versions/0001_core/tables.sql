-- The tables of the engine. Impossible states are constraints whose names say what went wrong.
--
-- No foreign key leaves or enters the hot tables (runs, step_states, step_tasks): two of them make the insert of
-- many tasks five times as slow, and one to a shared definition row turns every start into a multixact. The
-- functions are the only writers, and check_invariants() says what a foreign key would.

create table pgflow.flows (
  flow_slug text not null,
  opt_max_attempts integer not null default 3,
  opt_base_delay integer not null default 1,
  opt_timeout integer not null default 300,
  created_at timestamptz not null default clock_timestamp(),
  constraint flows_pkey primary key (flow_slug),
  constraint flow_slug_is_valid check (pgflow.is_valid_slug(flow_slug)),
  constraint flow_slug_names_a_queue check (length(flow_slug) <= 47 and flow_slug not like '%--%'),
  constraint max_attempts_is_at_least_one check (opt_max_attempts >= 1),
  constraint base_delay_is_not_negative check (opt_base_delay >= 0),
  constraint timeout_is_at_least_one_second check (opt_timeout >= 1)
);
-- pgmq folds the case of queue names: two flows that differ only by it would share one table.
create unique index flow_slug_is_unique_whatever_its_case on pgflow.flows (lower(flow_slug));

create table pgflow.steps (
  flow_slug text not null,
  step_slug text not null,
  step_index integer not null,
  deps_count integer not null default 0,
  handler_name text,
  opt_max_attempts integer,
  opt_base_delay integer,
  opt_timeout integer,
  opt_start_delay integer,
  created_at timestamptz not null default clock_timestamp(),
  constraint steps_pkey primary key (flow_slug, step_slug),
  constraint step_index_is_unique_in_the_flow unique (flow_slug, step_index),
  constraint steps_belong_to_a_flow foreign key (flow_slug) references pgflow.flows (flow_slug),
  constraint step_slug_is_valid check (pgflow.is_valid_slug(step_slug)),
  constraint step_index_is_not_negative check (step_index >= 0),
  constraint deps_count_is_not_negative check (deps_count >= 0),
  constraint max_attempts_is_at_least_one check (opt_max_attempts >= 1),
  constraint base_delay_is_not_negative check (opt_base_delay >= 0),
  constraint timeout_is_at_least_one_second check (opt_timeout >= 1),
  constraint start_delay_is_not_negative check (opt_start_delay >= 0)
);

create table pgflow.deps (
  flow_slug text not null,
  dep_slug text not null,
  step_slug text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint deps_pkey primary key (flow_slug, dep_slug, step_slug),
  constraint dependency_is_a_step foreign key (flow_slug, dep_slug) references pgflow.steps (flow_slug, step_slug),
  constraint dependent_is_a_step foreign key (flow_slug, step_slug) references pgflow.steps (flow_slug, step_slug),
  constraint step_does_not_depend_on_itself check (dep_slug <> step_slug)
);
create index deps_by_step on pgflow.deps (flow_slug, step_slug);

-- PostgreSQL reads the checks of a table anew for every statement, so they are short: whether something has completed
-- or failed is told by its time, which is compared with the status once.
create table pgflow.runs (
  run_id uuid not null default pgflow.new_run_id(),
  flow_slug text not null,
  status text not null default 'started',
  input jsonb not null,
  output jsonb,
  error_message text,
  remaining_steps integer not null,
  watched boolean not null default true,
  idempotency_key text,
  started_at timestamptz not null default clock_timestamp(),
  completed_at timestamptz,
  failed_at timestamptz,
  constraint runs_pkey primary key (run_id),
  constraint run_status_is_known check (status = any('{started,completed,failed}')),
  constraint remaining_steps_is_not_negative check (remaining_steps >= 0),
  constraint completed_run_has_no_remaining_steps check (completed_at is null or remaining_steps = 0),
  constraint completed_at_says_the_run_completed check ((completed_at is not null) = (status = 'completed')),
  constraint failed_at_says_the_run_failed check ((failed_at is not null) = (status = 'failed')),
  constraint only_a_completed_run_has_output check ((output is not null) = (completed_at is not null)),
  constraint only_a_failed_run_has_an_error check ((error_message is not null) = (failed_at is not null))
) with (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0
);
create unique index idempotency_key_is_unique_in_the_flow on pgflow.runs (flow_slug, idempotency_key)
where idempotency_key is not null;

create table pgflow.step_states (
  run_id uuid not null,
  step_slug text not null,
  flow_slug text not null,
  status text not null default 'created',
  initial_tasks integer,
  remaining_tasks integer,
  remaining_deps integer not null,
  output jsonb,
  error_message text,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  constraint step_states_pkey primary key (run_id, step_slug),
  constraint step_status_is_known check (status = any('{created,started,completed,failed,cancelled}')),
  constraint initial_tasks_is_not_negative check (initial_tasks >= 0),
  constraint remaining_tasks_is_not_negative check (remaining_tasks >= 0),
  constraint remaining_tasks_is_at_most_initial_tasks check (remaining_tasks <= initial_tasks),
  constraint remaining_tasks_is_known_once_started check (
    case status
      when 'created' then remaining_tasks is null
      when 'cancelled' then true
      else remaining_tasks is not null
    end
  ),
  constraint remaining_deps_is_not_negative check (remaining_deps >= 0),
  constraint started_step_waits_for_nothing check (remaining_deps = 0 or started_at is null),
  constraint completed_step_has_no_remaining_tasks check (completed_at is null or remaining_tasks = 0),
  constraint started_at_says_the_step_started check (
    case status when 'created' then started_at is null when 'cancelled' then true else started_at is not null end
  ),
  constraint completed_at_says_the_step_completed check ((completed_at is not null) = (status = 'completed')),
  constraint failed_at_says_the_step_failed check ((failed_at is not null) = (status = 'failed')),
  constraint only_a_completed_step_has_output check ((output is not null) = (completed_at is not null)),
  constraint only_a_failed_step_has_an_error check ((error_message is not null) = (failed_at is not null))
) with (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0
);

create table pgflow.step_tasks (
  run_id uuid not null,
  step_slug text not null,
  task_index integer not null default 0,
  flow_slug text not null,
  message_id bigint not null,
  token integer not null default 0,
  status text not null default 'queued',
  attempts_count integer not null default 0,
  error_message text,
  traceback text,
  output jsonb,
  queued_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  last_worker_id uuid,
  constraint step_tasks_pkey primary key (run_id, step_slug, task_index),
  constraint only_single_task_per_step check (task_index = 0),
  constraint task_status_is_known check (status = any('{queued,started,completed,failed,cancelled}')),
  constraint task_index_is_not_negative check (task_index >= 0),
  constraint attempts_count_is_not_negative check (attempts_count >= 0),
  constraint started_at_says_the_task_started check (
    case status when 'queued' then started_at is null when 'cancelled' then true else started_at is not null end
  ),
  constraint completed_at_says_the_task_completed check ((completed_at is not null) = (status = 'completed')),
  constraint failed_at_says_the_task_failed check ((failed_at is not null) = (status = 'failed')),
  constraint completed_task_has_output check (completed_at is null or output is not null),
  constraint open_task_has_no_output check (output is null or completed_at is not null or failed_at is not null)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.05,
  autovacuum_vacuum_cost_delay = 0
);

create table pgflow.workers (
  worker_id uuid not null,
  queue_name text not null,
  function_name text not null,
  started_at timestamptz not null default clock_timestamp(),
  stopped_at timestamptz,
  last_heartbeat_at timestamptz not null default clock_timestamp(),
  constraint workers_pkey primary key (worker_id)
) with (fillfactor = 70);

-- Which workers are to be woken by a message. Unlogged: a mark costs no fsync, and after a crash every worker sets
-- its mark anew.
create unlogged table pgflow.sleeping_workers (
  queue_name text not null,
  worker_id uuid not null,
  sleeping_until timestamptz not null,
  constraint sleeping_workers_pkey primary key (queue_name, worker_id)
) with (fillfactor = 50);

create type pgflow.step_task_record as (
  flow_slug text,
  run_id uuid,
  step_slug text,
  input jsonb,
  msg_id bigint,
  task_index integer,
  token integer,
  attempts_count integer
);
