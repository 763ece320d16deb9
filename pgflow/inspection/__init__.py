"""Looking into the database as operators do: runs, steps, tasks, queues and workers, in plain queries.

They read tables, which the roles that start and work may not: a monitor is a member of ``pg_read_all_data`` and may
execute ``pgflow.get_workers()``. Nothing here locks or writes.
"""

from pgflow.inspection.fleet import flow_rates, queue_depths, running_steps, workers
from pgflow.inspection.flows import flow_shape, flows
from pgflow.inspection.runs import run_detail, run_steps, run_tasks, runs

__all__ = [
    "flow_rates",
    "flow_shape",
    "flows",
    "queue_depths",
    "run_detail",
    "run_steps",
    "run_tasks",
    "running_steps",
    "runs",
    "workers",
]
