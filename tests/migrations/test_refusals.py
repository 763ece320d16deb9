"""A step down that the data forbids is refused in one sentence, and changes nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy

from pgflow import migrations
from tests.migrations.catalog import catalog
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, fanout

WITHOUT_FANOUT = "0002_events"
SENTENCE = (
    r"the schema cannot go back before 0003_fanout while there are flows with fan-out steps \('fans'\): "
    r"delete them with pgflow.delete_flow\(\) first"
)


@pytest.fixture
def engine(database: Connection) -> Engine:
    return Engine(database)


@pytest.fixture
def fans(engine: Engine) -> Engine:
    """A database with a flow that fans out, and one that does not."""
    engine.define({"list": [], "each": fanout("list")}, flow="fans")
    engine.define({"only": []}, flow="plain")
    return engine


def test_a_flow_with_a_fan_out_step_keeps_the_schema_that_knows_it(fans: Engine, dsn: str) -> None:
    before = catalog(fans.connection)
    with pytest.raises(sqlalchemy.exc.DBAPIError, match=SENTENCE):
        migrations.downgrade(dsn, WITHOUT_FANOUT)
    assert catalog(fans.connection) == before
    assert migrations.current(fans.connection) == migrations.head()


def test_its_runs_go_on_as_if_nothing_had_been_asked(fans: Engine, dsn: str) -> None:
    run = fans.start(flow="fans")
    fans.complete(fans.poll_one(flow="fans"), [1, 2])
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        migrations.downgrade(dsn, WITHOUT_FANOUT)
    fans.work({"each": lambda task: task.input["item"] * 10}, flow="fans")
    assert fans.run(run)["output"] == {"each": [10, 20]}


def test_a_step_with_several_tasks_is_refused_whatever_its_definition_says(engine: Engine, dsn: str) -> None:
    engine.define({"list": [], "each": fanout("list")}, flow="fans")
    run = engine.start(flow="fans")
    engine.work({"list": ["small", "large" * 100]}, flow="fans")
    engine.do("update pgflow.steps set step_type = 'single'")
    with pytest.raises(sqlalchemy.exc.DBAPIError, match=SENTENCE):
        migrations.downgrade(dsn, WITHOUT_FANOUT)
    engine.do("update pgflow.steps set step_type = 'fanout' where step_slug = 'each'")
    assert len(engine.tasks(run, "each")) == 2


def test_without_its_fan_outs_the_database_steps_down(fans: Engine, dsn: str) -> None:
    fans.start(flow="fans")
    plain = fans.start("kept", flow="plain")
    fans.call("delete_flow", p_flow_slug="fans")
    migrations.downgrade(dsn, WITHOUT_FANOUT)
    fans.work({"only": lambda task: task.input["run"]}, flow="plain")
    assert fans.run(plain)["output"] == {"only": "kept"}


def test_to_the_base_it_is_refused_as_well(fans: Engine, dsn: str) -> None:
    with pytest.raises(sqlalchemy.exc.DBAPIError, match=SENTENCE):
        migrations.downgrade(dsn, "base")
    assert migrations.current(fans.connection) == migrations.head()


def test_a_script_for_psql_refuses_too(fans: Engine) -> None:
    script = io.StringIO()
    migrations.write_sql(script, f"{migrations.head()}:{WITHOUT_FANOUT}", downgrade=True)
    with pytest.raises(psycopg.errors.RaiseException, match=SENTENCE):
        fans.connection.execute(script.getvalue().encode())
    fans.connection.execute("rollback")
    assert migrations.current(fans.connection) == migrations.head()


def test_the_command_says_it_in_one_line(fans: Engine, dsn: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pgflow", "migrate", "--downgrade", WITHOUT_FANOUT],
        capture_output=True,
        text=True,
        env={**os.environ, "PGFLOW_DSN": dsn},
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "Error: " + SENTENCE.replace("\\", "") + "\n"


def test_a_fan_out_that_is_being_defined_is_waited_for(
    engine: Engine, connect: Callable[..., Connection], dsn: str
) -> None:
    engine.define({"list": []}, flow="fans")
    defining, migrating = Engine(connect(autocommit=False)), connect(autocommit=False)
    defining.call("add_step", flow_slug="fans", step_slug="each", deps_slugs=["list"], step_type="fanout")
    blocked = "select pg_blocking_pids(%s) <> '{}'"
    with ThreadPoolExecutor(1) as pool:
        stepping_down = pool.submit(migrations.downgrade, migrating, WITHOUT_FANOUT)
        while not engine.value(blocked, migrating.info.backend_pid):
            assert not stepping_down.done(), "the step down has not waited"
        defining.connection.commit()
        with pytest.raises(sqlalchemy.exc.DBAPIError, match=SENTENCE):
            stepping_down.result(timeout=10)
    migrating.rollback()
