drop table pgflow.task_items;
alter table pgflow.step_tasks drop column item;
alter table pgflow.step_tasks add constraint only_single_task_per_step check (task_index = 0);
alter table pgflow.steps drop column step_type;
