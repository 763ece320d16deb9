-- Several tasks a step: a fan-out step has one for each element of the array that its dependency returned.

alter table pgflow.steps add column step_type text not null default 'single';
alter table pgflow.steps add constraint step_type_is_known check (step_type in ('single', 'fanout'));
alter table pgflow.steps add constraint fanout_has_exactly_one_dependency
  check (step_type <> 'fanout' or deps_count = 1);

alter table pgflow.step_tasks drop constraint only_single_task_per_step;
alter table pgflow.step_tasks add column item jsonb;

-- An item on the task's row is written again at every transition: larger ones live here, written once.
create table pgflow.task_items (
  run_id uuid not null,
  step_slug text not null,
  task_index integer not null,
  item jsonb not null,
  constraint task_items_pkey primary key (run_id, step_slug, task_index)
);
