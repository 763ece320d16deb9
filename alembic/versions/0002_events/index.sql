create index if not exists idx_step_states_run_only on pgflow.step_states (run_id);
