"""The locks at which a session can be stopped: each is held by a third one, which wants nothing else."""

from __future__ import annotations

from attrs import frozen
from psycopg import errors

from tests.plugins.engine import Engine

#: The rows that a stage has: what they are called in a sentence, their table, and their address.
_ROWS = """
    with run as (select run_id, case input #>> '{}' when 'first' then '' else (input #>> '{}') || ' ' end as name
                 from pgflow.runs)
    select 1 as place, name || 'run' as name, 'pgflow.runs' as relation, r.ctid::text as address
    from pgflow.runs as r join run using (run_id)
    union all
    select 2, name || 'step ' || step_slug, 'pgflow.step_states', s.ctid::text
    from pgflow.step_states as s join run using (run_id)
    union all
    select 3, format('%stask %s[%s]', name, step_slug, task_index), 'pgflow.step_tasks', t.ctid::text
    from pgflow.step_tasks as t join run using (run_id)
    union all
    select 4, format('%smessage of %s[%s]', name, message ->> 'step_slug', message ->> 'task_index'), 'pgmq.q_flow',
      m.ctid::text
    from pgmq.q_flow as m join run on run_id = (message ->> 'run_id')::uuid
    union all
    select 5, 'worker ' || right(worker_id::text, 1), 'pgflow.workers', ctid::text from pgflow.workers
    union all
    select 6, 'sleep mark of worker ' || right(worker_id::text, 1), 'pgflow.sleeping_workers', ctid::text
    from pgflow.sleeping_workers
    union all
    select 7, 'flow', 'pgflow.flows', ctid::text from pgflow.flows
    union all
    select 8, 'definition of step ' || step_slug, 'pgflow.steps', ctid::text from pgflow.steps
    order by 1, 2
"""


@frozen
class Gate:
    """A lock.

    :param name: what is locked, as in "is stopped at the run"
    :param statement: takes the lock, or fails at once
    """

    name: str
    statement: str

    def __str__(self) -> str:
        return self.name

    def hold(self, session: Engine) -> bool:
        """Take the lock in the open transaction of a session; false if somebody else has it."""
        try:
            session.do(self.statement)
        except errors.LockNotAvailable:
            session.connection.rollback()
            return False
        return True


def _advisory(name: str, key: str) -> Gate:
    statement = f"""
        do $$ begin
          if not pg_try_advisory_xact_lock(hashtextextended('{key}', 0)) then raise lock_not_available; end if;
        end $$
    """
    return Gate(name, statement)


#: Those that are no rows.
_OTHERS = (
    _advisory("the lock against definition", "pgflow.flow:flow"),
    _advisory("the lock against deletion", "pgflow.delete:flow"),
    Gate("the queue", "lock table pgmq.q_flow in row exclusive mode nowait"),
    # A key that is taken by a run which may yet be rolled back.
    Gate(
        "the key",
        """insert into pgflow.runs (flow_slug, input, remaining_steps, idempotency_key)
           values ('flow', '"held"', 1, 'key') on conflict do nothing""",
    ),
)


def all_gates(observer: Engine) -> list[Gate]:
    """Every lock that there is on what the stage has now."""
    rows = [
        Gate(f"the {row['name']}", f"select from {row['relation']} where ctid = '{row['address']}' for update nowait")
        for row in observer.rows(_ROWS)
    ]
    return [*rows, *_OTHERS]


def held_gates(gates: list[Gate], prober: Engine) -> list[str]:
    """The names of the locks that somebody holds just now: the prober cannot have them."""
    held = []
    for gate in gates:
        if not gate.hold(prober):
            held.append(gate.name)
        prober.connection.rollback()
    return held
