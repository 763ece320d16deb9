"""A caller may shadow types and tables in pg_temp; the functions, which run as their owner, never look there."""

from __future__ import annotations

from uuid import UUID, uuid4

from tests.plugins.engine import Engine, fanout

EVIL = """
    create temp table trace (who name);
    grant all on trace to public;
    create function pg_temp.evil() returns boolean language plpgsql volatile as
      'begin insert into pg_temp.trace values (current_user); return true; end';
    create domain pg_temp.jsonb as pg_catalog.jsonb check (pg_temp.evil());
    create domain pg_temp.text as pg_catalog.text check (pg_temp.evil());
    create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.evil());
    create domain pg_temp.int4 as pg_catalog.int4 check (pg_temp.evil());
    create domain pg_temp.timestamptz as pg_catalog.timestamptz check (pg_temp.evil());
    create temp table runs (run_id pg_catalog.uuid default pg_catalog.gen_random_uuid());
    create temp table flows (flow_slug pg_catalog.text);
    create temp table pg_proc (oid pg_catalog.oid);
    create temp table pg_class (oid pg_catalog.oid);
"""


def cycle(engine: Engine, run_id: UUID) -> None:
    """A bit of everything that a client and a worker may call."""
    engine.start([1, 2], run_id=run_id)
    engine.do("select * from pgflow.start_flow_with_states('flow', '1', null, 'key')")
    engine.do("select * from pgflow.start_flows('flow', '{1}')")
    engine.do("select * from pgflow.watch_run(%s)", run_id)
    engine.do("select pgflow.sleep_on_queues(%s, '{flow}', 1)", run_id)
    tasks = engine.poll()
    engine.extend(*tasks, lease=60)
    engine.release(*tasks)
    tasks = engine.poll()
    engine.complete_tasks((task, ["x" * 300, 2]) for task in tasks)
    retried, completed, *failed = engine.poll(3)
    engine.fail_tasks([(retried, "it broke")])
    engine.fail_tasks([(task, "it broke") for task in failed], permanent=True)
    engine.do(
        "select from pgflow.complete_task(%s, %s, %s, '{}')",
        completed.run_id,
        completed.step_slug,
        completed.task_index,
    )


def lay_traps(engine: Engine, role: str) -> None:
    """Become a role whose temporary types and tables shadow those of the system and of the engine."""
    engine.do(f'grant temporary on database "{engine.value("select current_database()")}" to {role}')
    engine.become(role)
    engine.do(EVIL)


def clear_traps(engine: Engine) -> set[str]:
    """Become oneself again, and say as whom the code in the traps ran."""
    ran_as = {row["who"] for row in engine.rows("select distinct who from pg_temp.trace")}
    engine.become_oneself()
    engine.do("discard temp")
    return ran_as


def test_the_traps_work(engine: Engine, stranger: str) -> None:
    # Nothing is compiled before the traps are laid.
    engine.do("""
        set local check_function_bodies = off;
        create function pgflow.careless(value jsonb) returns jsonb language plpgsql security definer
        set search_path = '' as 'declare v jsonb := value; begin return v; end';
        grant usage on schema pgflow to public;
    """)
    owner = engine.value("select current_user")
    lay_traps(engine, stranger)
    engine.do("select pgflow.careless('1')")
    assert clear_traps(engine) == {owner}


def test_what_a_caller_puts_into_pg_temp_never_runs_as_the_owner(engine: Engine, stranger: str) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    for role in ("pgflow_client", "pgflow_worker"):
        engine.do(f"grant {role} to {stranger}")
    lay_traps(engine, stranger)

    cycle(engine, uuid4())

    assert clear_traps(engine) <= {stranger}
