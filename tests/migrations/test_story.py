"""Each revision is an engine that works, and runs live through the steps between them, up and down."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import psycopg
import pytest

from pgflow import migrations
from tests.plugins.engine import Engine, Path, Task
from tests.plugins.listening import Ear

REVISIONS = migrations.revisions()
WITH_EVENTS = REVISIONS[REVISIONS.index("0002_events") :]

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}

at_every_revision = pytest.mark.parametrize("revision", REVISIONS)
on_both_paths = pytest.mark.parametrize("path", ["scalar", "set-based"])

FOREIGN_SEND = """
create table heard (event text, topic text);
create schema realtime;
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language sql as 'insert into public.heard values (event, topic)';
"""


@pytest.fixture
def migrate(blank_dsn: str) -> Callable[[str], None]:
    """Brings the database to a revision, whether that is above or below."""

    def migrate(revision: str) -> None:
        with psycopg.connect(blank_dsn) as connection:
            current = migrations.current(connection)
        ladder = ["base", *REVISIONS]
        if ladder.index(revision) > ladder.index(current or "base"):
            migrations.upgrade(blank_dsn, revision)
        else:
            migrations.downgrade(blank_dsn, revision)

    return migrate


@pytest.fixture
def engine(blank_dsn: str) -> Iterator[Engine]:
    """One session that stays open through all migrations of its database."""
    # A statement prepared by a client is refused once its columns are others; what is tried here are the functions.
    with psycopg.connect(blank_dsn, autocommit=True, prepare_threshold=None) as connection:
        engine = Engine(connection)
        yield engine
        if migrations.current(connection) is not None:
            assert engine.violations() == set()


@pytest.fixture
def ear(blank_dsn: str) -> Iterator[Ear]:
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        yield Ear(connection)


def define(engine: Engine, steps: Mapping[str, Sequence[str]], *, flow: str = "flow") -> None:
    """Define a flow of single steps, in words that every revision knows."""
    engine.call("create_flow", flow_slug=flow, base_delay=0)
    for step, deps in steps.items():
        engine.call("add_step", flow_slug=flow, step_slug=step, deps_slugs=list(deps))


@at_every_revision
@on_both_paths
def test_a_diamond_runs_to_its_end(engine: Engine, migrate: Callable[[str], None], revision: str, path: Path) -> None:
    migrate(revision)
    engine.path = path
    define(engine, DIAMOND)
    run = engine.start({"n": 1})
    worked = engine.work({"a": 1, "b": [2], "c": {"three": 3}, "d": "done"})

    assert engine.run(run)["status"] == "completed"
    assert engine.run(run)["output"] == {"d": "done"}
    inputs = {task.step_slug: task.input for task in worked}
    assert inputs["a"] == {"run": {"n": 1}, "deps": {}}
    assert inputs["d"] == {"run": {"n": 1}, "deps": {"b": [2], "c": {"three": 3}}}
    assert engine.messages() == []


@at_every_revision
@on_both_paths
def test_many_runs_of_a_chain_are_worked_in_batches(
    engine: Engine, migrate: Callable[[str], None], revision: str, path: Path
) -> None:
    migrate(revision)
    engine.path = path
    define(engine, {"first": [], "second": ["first"], "third": ["second"]})
    started = engine.call("start_flows", p_flow_slug="flow", p_inputs=["1", "2", "3"])
    worked = engine.work({"third": lambda task: task.input["run"]}, qty=5)

    assert len(worked) == 9
    assert [engine.run(run["run_id"])["output"] for run in started] == [{"third": 1}, {"third": 2}, {"third": 3}]


@at_every_revision
@on_both_paths
def test_a_failing_task_is_retried_and_then_fails_its_run(
    engine: Engine, migrate: Callable[[str], None], revision: str, path: Path
) -> None:
    migrate(revision)
    engine.path = path
    define(engine, DIAMOND)
    run = engine.start()
    for attempt in (1, 2):
        task = engine.poll_one()
        assert task.attempts_count == attempt
        assert engine.fail(task)["status"] == "queued"
    assert engine.fail(engine.poll_one(), "for the last time")["status"] == "failed"

    assert engine.run(run)["status"] == "failed"
    assert engine.run(run)["error_message"] == "for the last time"
    assert engine.statuses(run) == {"a": "failed", "b": "cancelled", "c": "cancelled", "d": "cancelled"}
    assert engine.messages() == []


@at_every_revision
def test_a_task_whose_worker_dies_is_taken_by_another(
    engine: Engine, migrate: Callable[[str], None], revision: str
) -> None:
    migrate(revision)
    define(engine, {"only": []})
    run = engine.start()
    dead = engine.poll_one(lease=0)
    engine.complete(engine.poll_one(), "taken over")
    engine.complete(dead, "too late")
    assert engine.run(run)["output"] == {"only": "taken over"}


@at_every_revision
def test_a_worker_comes_beats_and_goes(engine: Engine, migrate: Callable[[str], None], revision: str) -> None:
    migrate(revision)
    worker = engine.value("select pgflow.new_run_id()")
    engine.call("register_worker", p_worker_id=worker, p_queue_name="flow", p_function_name="test")
    engine.call("heartbeat_worker", p_worker_id=worker)
    engine.call("stop_worker", p_worker_id=worker)
    assert engine.row("select * from pgflow.workers")["stopped_at"] is not None


@at_every_revision
def test_a_definition_is_ensured_and_another_shape_refused(
    engine: Engine, migrate: Callable[[str], None], revision: str
) -> None:
    migrate(revision)
    step = '{"step_slug": "%s", "step_type": "single", "deps": [%s]}'
    definition = '{"flow_slug": "flow", "max_attempts": 5, "base_delay": 0, "timeout": 7, "steps": [%s, %s]}'
    same = definition % (step % ("a", ""), step % ("b", '"a"'))
    other = definition % (step % ("a", ""), step % ("b", ""))
    for _ in range(2):
        engine.call("ensure_flow", p_definition=same)
    with pytest.raises(psycopg.Error, match=r"step 'b' depends on \{\}, it did on \{a\}") as refused:
        engine.call("ensure_flow", p_definition=other)
    assert refused.value.sqlstate == "PF006"
    assert engine.row("select * from pgflow.flows")["opt_timeout"] == 7


@at_every_revision
def test_a_flow_is_deleted_with_its_runs(engine: Engine, migrate: Callable[[str], None], revision: str) -> None:
    migrate(revision)
    define(engine, DIAMOND)
    engine.start()
    engine.call("delete_flow", p_flow_slug="flow")
    assert engine.rows("select * from pgflow.runs") == []
    assert engine.value("select count(*) from pgmq.meta") == 0


@pytest.mark.parametrize(
    "ladder",
    [REVISIONS, REVISIONS[::-1], [*REVISIONS, *REVISIONS[-2::-1]], [REVISIONS[0], REVISIONS[-1], REVISIONS[0]]],
    ids=" ".join,
)
def test_runs_in_flight_live_through_migrations(
    engine: Engine, migrate: Callable[[str], None], ladder: list[str]
) -> None:
    migrate(ladder[0])
    # A run takes one step between two migrations, and there is one left after the last.
    steps = [f"step-{n}" for n in range(len(ladder))]
    define(engine, {step: [before] if before else [] for before, step in zip(["", *steps], steps, strict=False)})
    waiting, worked, retried = engine.start("waiting"), engine.start("worked"), engine.start("retried")
    for revision in ladder[1:]:
        tasks = {task.run_id: task for task in engine.poll()}
        engine.complete(tasks[waiting])
        engine.fail(tasks[retried])

        migrate(revision)
        assert engine.violations() == set()

        engine.complete(tasks[worked])
        (again,) = engine.call("claim_run_tasks", p_run_id=retried, p_lease=30)
        assert again["attempts_count"] == 2
        engine.complete(Task(**again))

    last = steps[-1]
    engine.work({last: lambda task: task.input["run"]})
    assert engine.run(waiting)["output"] == {last: "waiting"}
    assert engine.run(worked)["output"] == {last: "worked"}
    assert engine.run(retried)["output"] == {last: "retried"}


def test_a_session_meets_no_stale_plan(engine: Engine, migrate: Callable[[str], None]) -> None:
    migrate(REVISIONS[0])
    define(engine, {"a": [], "b": ["a"]})
    for revision in [*REVISIONS[1:], *REVISIONS[-2::-1], *REVISIONS[1:]]:
        # Often enough that PostgreSQL settles for a plan that it keeps.
        runs = [engine.start(n) for n in range(7)]
        engine.work()
        assert {engine.run(run)["status"] for run in runs} == {"completed"}
        migrate(revision)


@pytest.mark.parametrize("revision", REVISIONS)
def test_events_are_told_since_the_revision_that_brings_them(
    engine: Engine, migrate: Callable[[str], None], ear: Ear, revision: str
) -> None:
    migrate(revision)
    define(engine, {"a": [], "b": ["a"]})
    run = engine.value("select pgflow.new_run_id()")
    ear.listen_to(run)
    engine.start({}, run_id=run)
    engine.work()
    told = ["run:started", "a:started", "a:completed", "b:started", "b:completed", "run:completed"]
    assert ear.names(run) == (told if revision in WITH_EVENTS else [])


def test_a_run_in_flight_is_told_of_from_the_migration_on(
    engine: Engine, migrate: Callable[[str], None], ear: Ear
) -> None:
    migrate("0001_core")
    define(engine, {"a": [], "b": ["a"]})
    run = engine.start()
    ear.listen_to(run)
    migrate("0002_events")
    engine.complete(engine.poll_one())
    assert ear.names(run) == ["a:completed", "b:started"]

    migrate("0001_core")
    engine.fail(engine.poll_one(), permanent=True)
    assert engine.run(run)["status"] == "failed"
    assert ear.names(run) == ["a:completed", "b:started"]


def test_a_realtime_of_the_database_is_called_and_left_as_it_is(engine: Engine, migrate: Callable[[str], None]) -> None:
    engine.do(FOREIGN_SEND)
    before = engine.row("select * from pg_proc where oid = 'realtime.send'::regproc")
    for revision in WITH_EVENTS:
        migrate(revision)
    define(engine, {"only": []})
    run = engine.start(watched=False)
    engine.work()
    assert [row["event"] for row in engine.rows("select * from heard where topic = %s", f"pgflow:run:{run}")] == [
        "run:started",
        "only:started",
        "only:completed",
        "run:completed",
    ]
    migrate("base")
    assert engine.row("select * from pg_proc where oid = 'realtime.send'::regproc") == before


def test_a_schema_realtime_of_the_database_gets_our_function_and_loses_it_again(
    engine: Engine, migrate: Callable[[str], None]
) -> None:
    engine.do("create schema realtime")
    before = engine.row("select * from pg_namespace where nspname = 'realtime'")
    migrate("0002_events")
    assert engine.value("select to_regproc('realtime.send') is not null")
    migrate("0001_core")
    assert engine.value("select to_regproc('realtime.send') is null")
    assert engine.row("select * from pg_namespace where nspname = 'realtime'") == before


def test_a_schema_realtime_of_ours_stays_while_it_holds_what_others_put_there(
    engine: Engine, migrate: Callable[[str], None]
) -> None:
    migrate("0002_events")
    engine.do("create table realtime.theirs ()")
    migrate("0001_core")
    assert engine.value("select to_regproc('realtime.send') is null")
    assert engine.value("select to_regclass('realtime.theirs') is not null")

    migrate("0002_events")
    engine.do("drop table realtime.theirs")
    migrate("0001_core")
    assert engine.value("select to_regnamespace('realtime') is null")


@at_every_revision
def test_going_down_to_the_base_drops_our_queues_and_no_others(
    engine: Engine, migrate: Callable[[str], None], revision: str
) -> None:
    migrate(revision)
    engine.do("select pgmq.create('theirs')")
    for flow in ("plain", "Mixed-Case", "_"):
        define(engine, {"only": []}, flow=flow)
        engine.start(flow=flow)
    migrate("base")
    assert engine.rows("select queue_name from pgmq.meta") == [{"queue_name": "theirs"}]
    assert engine.rows("select tablename from pg_tables where tablename ~ '^[qa]_' order by 1") == [
        {"tablename": "a_theirs"},
        {"tablename": "q_theirs"},
    ]


@pytest.mark.parametrize(("older", "newer"), list(itertools.pairwise(REVISIONS)))
def test_a_step_down_tells_the_older_story_again(
    engine: Engine, migrate: Callable[[str], None], older: str, newer: str
) -> None:
    migrate(newer)
    migrate(older)
    define(engine, DIAMOND)
    run = engine.start()
    engine.path = "set-based"
    engine.work({"d": older})
    assert engine.run(run)["output"] == {"d": older}


@at_every_revision
def test_every_body_fits_the_tables_of_its_revision(
    engine: Engine, migrate: Callable[[str], None], revision: str
) -> None:
    if engine.rows("select from pg_available_extensions where name = 'plpgsql_check'") == []:
        assert os.environ.get("PGFLOW_TEST_POSTGRES") != "debian", "install postgresql-15-plpgsql-check"
        pytest.skip("this PostgreSQL has no plpgsql_check; Debian's has")
    engine.do("create extension plpgsql_check")
    migrate(revision)
    errors = engine.rows(
        """
        select p.oid::regprocedure::text, c.lineno, c.message
          from pg_proc as p
          join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
         cross join lateral plpgsql_check_function_tb(p.oid, fatal_errors => false) as c
         where p.pronamespace::regnamespace::text in ('pgflow', 'realtime') and c.level = 'error'
        """
    )
    assert errors == []
