"""What two sessions leave behind: all that a later call could see, without the times and ids of this one case."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from tests.interleavings.operations import Result
from tests.interleavings.stage import Stage
from tests.plugins.engine import Engine
from tests.plugins.listening import Ear

_TABLES = """
    select
      (
        select jsonb_agg(to_jsonb(f) - 'created_at' || jsonb_build_object('steps', (
          select jsonb_agg(to_jsonb(s) - 'created_at' order by s.step_slug) from pgflow.steps as s
          where s.flow_slug = f.flow_slug
        )))
        from pgflow.flows as f
      ) as flows,
      (
        select jsonb_agg(run order by run)
        from pgflow.runs as r
        cross join lateral (
          select to_jsonb(r) - '{run_id,started_at,completed_at,failed_at}'::text[] || jsonb_build_object(
            'steps', (
              select jsonb_agg(
                to_jsonb(s) - '{run_id,created_at,started_at,completed_at,failed_at}'::text[] order by s.step_slug
              )
              from pgflow.step_states as s where s.run_id = r.run_id
            ),
            'tasks', (
              select jsonb_agg(
                to_jsonb(t)
                  - '{run_id,message_id,token,queued_at,started_at,completed_at,failed_at,last_worker_id}'::text[]
                order by t.step_slug, t.task_index
              )
              from pgflow.step_tasks as t where t.run_id = r.run_id
            )
          ) as run
        ) as r2
      ) as runs,
      (
        select jsonb_agg(jsonb_build_array(
          w.worker_id, w.stopped_at is not null, w.last_heartbeat_at > clock_timestamp() - interval '1 day'
        ) order by w.worker_id)
        from pgflow.workers as w
      ) as workers,
      (
        select jsonb_agg(jsonb_build_array(w.worker_id, w.queue_name, w.sleeping_until > clock_timestamp())
          order by w.worker_id)
        from pgflow.sleeping_workers as w
      ) as sleeping,
      to_regclass('pgmq.q_flow') is not null as has_queue,
      (select array_agg(c.invariant || ': ' || c.detail) from pgflow.check_invariants() as c) as violations
"""

# When a message is due, in units of ten minutes: it tells a lease from one that was extended, and both from what is
# due at once or a second later.
_MESSAGES = """
    select
      coalesce(r.input #>> '{}', 'no run') as run,
      m.message ->> 'step_slug' as step_slug,
      m.message ->> 'task_index' as task_index,
      round(extract(epoch from m.vt - clock_timestamp()) / 600)::integer as due
    from pgmq.q_flow as m
    left join pgflow.runs as r on r.run_id = (m.message ->> 'run_id')::uuid
    order by 1, 2, 3
"""


@frozen
class Outcome:
    """What is there after two sessions have met, and what both were told."""

    state: dict[str, Any]
    results: tuple[Result, ...]
    events: tuple[list[str], ...]

    @property
    def violations(self) -> list[str]:
        """The invariants that do not hold."""
        return self.state["violations"] or []

    def differences(self, other: Outcome) -> list[str]:
        """Where another outcome is not this one, a line for each."""
        lines = [
            f"{key} is {theirs}, and not {mine}"
            for key, mine in self.state.items()
            if (theirs := other.state[key]) != mine
        ]
        if other.results != self.results:
            lines.append(f"the sessions were told {other.results}, and not {self.results}")
        if other.events != self.events:
            lines.append(f"the events are {other.events}, and not {self.events}")
        return lines


def look(observer: Engine, ear: Ear, stage: Stage, results: tuple[Result, ...]) -> Outcome:
    """The outcome of what was done on a stage."""
    state = observer.row(_TABLES)
    state["messages"] = observer.rows(_MESSAGES) if state.pop("has_queue") else None
    return Outcome(state, results, tuple(ear.names(run) for run in stage.runs.values()))
