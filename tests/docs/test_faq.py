"""What the questions are answered with is tried: the SQL, the programs, and the numbers."""

from __future__ import annotations

import asyncio
import shlex
from typing import Any
from uuid import UUID

import pytest

from pgflow import Flow, FlowClient, Worker
from pgflow.cli.start import start
from pgflow.dsl import options
from pgflow.errors import DefinitionError
from tests.docs.pages import DOCS, Page
from tests.docs.sql_session import statements
from tests.plugins.databases import Connection
from tests.plugins.engine import Engine, fanout

PAGE = Page("faq.md")
TEXT = " ".join(PAGE.text.split())

TAKE, FAIL, DELETE = statements(PAGE)

RUN = UUID("5f0c2a3e-0000-7000-8000-000000000001")


@pytest.fixture
def engine(database: Connection) -> Engine:
    return Engine(database)


@pytest.mark.parametrize("claimed", [0, 1, 3])
def test_a_run_is_cancelled_by_failing_it(engine: Engine, claimed: int) -> None:
    engine.define({"a": [], "b": [], "c": [], "d": ["a", "b"]})
    engine.start(run_id=RUN)
    engine.poll(claimed)

    engine.do(TAKE.text)
    assert [row["status"] for row in engine.rows(FAIL.text)] == [FAIL.shown]

    run = engine.run(RUN)
    assert (run["status"], run["error_message"]) == ("failed", "cancelled by hand")
    assert sorted(engine.statuses(RUN).values()) == ["cancelled", "cancelled", "cancelled", "failed"]
    assert engine.messages() == []
    assert engine.rows(FAIL.text) == []


def test_the_migrator_may_cancel(engine: Engine) -> None:
    engine.define({"a": []})
    engine.start(run_id=RUN)
    engine.do("set role pgflow_migrator")
    engine.do(TAKE.text)
    engine.do(FAIL.text)
    engine.do("reset role")
    assert engine.run(RUN)["status"] == "failed"


def test_old_runs_are_deleted_and_others_are_not(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a")})
    old, young = engine.start(idempotency_key="old"), engine.start()
    engine.work({"a": ["x" * 1000, "y"]})
    open_run = engine.start()
    for column in ("started_at", "completed_at"):
        engine.do(f"update pgflow.runs set {column} = {column} - interval '2 months' where run_id = %s", old)
    engine.do("update pgflow.runs set started_at = started_at - interval '2 months' where run_id = %s", open_run)

    engine.do(DELETE.text)

    assert {row["run_id"] for row in engine.rows("select run_id from pgflow.runs")} == {young, open_run}
    for table in ("step_states", "step_tasks", "task_items"):
        assert old not in {row["run_id"] for row in engine.rows(f"select run_id from pgflow.{table}")}
    assert engine.start(idempotency_key="old") != old


def test_the_programs_do_what_they_say(dsn: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(PAGE.program(), "faq.md", "exec"), names)
    with Worker(names["flow"], dsn), FlowClient(dsn) as client:
        assert asyncio.run(names["view"](client)) == 6
        assert client.start(names["flow"], "").result(60) == {"count": []}


def test_the_command_that_cron_runs_is_one() -> None:
    (line,) = PAGE.commands()
    program, command, *arguments = shlex.split(line)
    assert (program, command) == ("pgflow", "start")
    parsed = start.make_context(command, arguments)
    assert parsed.params["key"].startswith("nightly-")


def test_a_handler_may_not_be_asynchronous() -> None:
    flow: Flow[Any] = Flow("later")
    with pytest.raises(DefinitionError, match=r"asyncio\.run"):

        @flow.step
        async def wait() -> None: ...


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"up to {options._LARGEST:,}" in TEXT
    assert f"{Flow('any').options.timeout} seconds by default" in TEXT
    project = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f"Python :: 3.{minor}" in project for minor in (11, 12, 13))
    assert "Python :: 3.14" not in project
    assert "Windows" not in project


def test_the_functions_that_a_worker_needs_are_there(database: Connection) -> None:
    for name in ("claim_tasks", "extend_leases", "complete_tasks", "fail_tasks", "release_tasks"):
        assert f"`{name}`" in TEXT
        database.execute(f"select 'pgflow.{name}'::regproc".encode())
