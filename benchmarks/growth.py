"""Whether costs grow with the size of a run, or with what else is in the tables: each figure is of one step or task."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from benchmarks.bench import Bench
from benchmarks.flows import DEEP, LONG, WIDE, cascade, chain, diamond, fanout, long_chain, nested, single
from pgflow import Flow

_BLOCK = 8192


def run(bench: Bench) -> dict[str, object]:
    """Measure fan-outs of 100 to 100,000 items, then chains beside ever more of other things, then unusual shapes."""
    return {**_sizes(bench), **_neighbours(bench), **_shapes(bench)}


def _sizes(bench: Bench) -> dict[str, object]:
    figures: dict[str, object] = {}
    with bench.workers(fanout) as workers:
        # As many items in all each time, so that what a run costs by itself is not mistaken for growth.
        for name, padding, most in (("items", 0, 100_000), ("2_kb_items", 2_000, 20_000)):
            for size in (100, 1_000, 10_000, 100_000):
                if size <= bench.sized(most):
                    inputs = [{"count": size, "padding": padding}] * max(bench.sized(most) // 5 // size, 1)
                    figures[f"{name}_{size}"] = _cost(bench, fanout, inputs, size * len(inputs), workers)
    with bench.workers(nested) as workers:
        for size in (100, bench.sized(10_000)):
            inputs_of_nested = [size] * max(bench.sized(10_000) // size, 1)
            tasks = 2 * size * len(inputs_of_nested)
            figures[f"nested_items_{size}"] = _cost(bench, nested, inputs_of_nested, tasks, workers)
    return figures


def _neighbours(bench: Bench) -> dict[str, object]:
    many, few = bench.sized(100_000), bench.sized(2_000)
    figures: dict[str, object] = {}
    with bench.workers(chain) as workers:
        figures["chain_alone"] = _cost(bench, chain, range(few), 3 * few, workers)
        with _old_transaction(bench):
            figures["chain_beside_an_old_transaction"] = _cost(bench, chain, range(few), 3 * few, workers)
        finished = bench.sized(1_000_000)
        _add_finished_runs(bench, finished)
        figures[f"chain_beside_{finished}_finished_runs"] = _cost(bench, chain, range(few), 3 * few, workers)
    with bench.workers(single) as workers:
        figures["single_alone"] = _cost(bench, single, range(few), few, workers)
        bench.connection.execute("begin")
        bench.client.start_many(single, range(many), connection=bench.connection)
        bench.connection.execute("update pgmq.\"q_bench-single\" set vt = now() + interval '1 day'")
        bench.connection.execute("commit")
        figures[f"single_beside_{many}_delayed"] = _cost(bench, single, range(few), few, workers, leave=many)
    bench.client.register(single, replace=True)
    with bench.workers(single) as workers:
        cost = bench.work_off(single, range(many), workers)
    figures[f"single_of_{many}_waiting"] = cost.of_each(many)
    return figures


def _shapes(bench: Bench) -> dict[str, object]:
    figures: dict[str, object] = {}
    for flow, name, steps in (
        (long_chain, f"chain_of_{LONG}", LONG),
        (diamond, f"diamond_of_{WIDE}", WIDE + 2),
        (cascade, f"cascade_of_{DEEP}", DEEP + 1),
    ):
        with bench.workers(flow) as workers:
            runs = bench.sized(20)
            figures[name] = _cost(bench, flow, range(runs), runs * steps, workers)
    return figures


def _cost(
    bench: Bench, flow: Flow[Any], inputs: Sequence[object], items: int, workers: Sequence[int], leave: int = 0
) -> dict[str, float | None]:
    """What one item costs, when so many runs are started at once and worked off."""
    bench.client.start(flow, inputs[0])
    bench.until_done(flow, leave=leave)
    touched = _touched(bench)
    cost = bench.work_off(flow, inputs, workers, leave=leave)
    return {
        **cost.of_each(items),
        "bytes_touched": round((_touched(bench) - touched) * _BLOCK / items),
        "worker_mb": round(cost.worker_bytes / 1e6, 1),
    }


def _touched(bench: Bench) -> int:
    """How many blocks have been looked at in this database; sessions tell it a second after they did."""
    time.sleep(2)
    query = "select blks_hit + blks_read from pg_stat_database where datname = current_database()"
    return int(bench.value(query))


@contextmanager
def _old_transaction(bench: Bench) -> Iterator[None]:
    """Hold a snapshot, as a dump does: nothing that is deleted or updated meanwhile can be cleaned up."""
    with psycopg.connect(bench.dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select 1 from pgflow.runs limit 1")
        yield


def _add_finished_runs(bench: Bench, count: int) -> None:
    """Copy a finished run, with its steps and tasks, so many times."""
    bench.connection.execute(
        """
        with copied as materialized (
          select r.run_id as original, pgflow.new_run_id() as run_id
          from (select * from pgflow.runs where flow_slug = %(flow)s and status = 'completed' limit 1) as r,
            generate_series(1, %(count)s)
        ),
        run as (
          insert into pgflow.runs
          select c.run_id, r.flow_slug, r.status, r.input, r.output, r.error_message, r.remaining_steps, r.watched,
            r.idempotency_key, r.started_at, r.completed_at, r.failed_at
          from copied as c join pgflow.runs as r on r.run_id = c.original
        ),
        state as (
          insert into pgflow.step_states
            (run_id, step_slug, flow_slug, status, initial_tasks, remaining_tasks, remaining_deps, output, created_at,
             started_at, completed_at)
          select c.run_id, s.step_slug, s.flow_slug, s.status, s.initial_tasks, s.remaining_tasks, s.remaining_deps,
            s.output, s.created_at, s.started_at, s.completed_at
          from copied as c join pgflow.step_states as s on s.run_id = c.original
        )
        insert into pgflow.step_tasks
          (run_id, step_slug, task_index, flow_slug, message_id, token, status, attempts_count, output, queued_at,
           started_at, completed_at)
        select c.run_id, t.step_slug, t.task_index, t.flow_slug, t.message_id, t.token, t.status, t.attempts_count,
          t.output, t.queued_at, t.started_at, t.completed_at
        from copied as c join pgflow.step_tasks as t on t.run_id = c.original
        """,
        {"flow": chain.slug, "count": count},
    )
    # What autovacuum would do in the middle of the measurement.
    bench.connection.execute("vacuum (analyze) pgflow.runs, pgflow.step_states, pgflow.step_tasks")
