"""``pgflow check``: each thing that can be wrong is found, and what to do about it said."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import make_conninfo

from pgflow import FlowClient, migrations
from pgflow.cli import main
from tests.integration.cli.conftest import Pgflow
from tests.plugins.databases import Connection
from tests.plugins.pooler import PoolerFactory

SOURCE = """
from pgflow import Flow

flow = Flow("checked")

@flow.step
def one(run):
    return 1
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file of a flow with one step."""
    path = tmp_path / f"checked_{uuid4().hex}.py"
    path.write_text(SOURCE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return str(path)


def findings(result: Result, subject: str) -> list[dict[str, str]]:
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return [finding for finding in found if finding["subject"] == subject]


def test_a_healthy_database_has_nothing_to_be_done(pgflow: Pgflow) -> None:
    result = pgflow("check")

    assert result.exit_code == 0, result.output
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["ok", subject] for subject in ("server", "schema", "pgmq", "roles", "listen", "transactions", "invariants")
    ]
    assert "\x1b" not in result.stdout


def test_a_blank_database_has_to_be_migrated(blank_dsn: str) -> None:
    result = CliRunner().invoke(main, ["check", "--dsn", blank_dsn, "--json"])

    assert result.exit_code == 1
    (finding,) = findings(result, "schema")
    assert finding["level"] == "problem"
    assert finding["advice"] == "run `pgflow migrate`"
    assert findings(result, "pgmq") == []


def test_an_older_revision_has_to_be_migrated(blank_dsn: str) -> None:
    migrations.upgrade(blank_dsn, migrations.revisions()[0])

    result = CliRunner().invoke(main, ["check", "--dsn", blank_dsn, "--json"])

    assert "run `pgflow migrate`" in findings(result, "schema")[0]["advice"]


def test_an_old_pgmq_and_a_lost_queue_are_found(pgflow: Pgflow, database: Connection, module: str) -> None:
    database.execute("drop function pgmq.send_batch(text, jsonb[], integer)")
    database.execute("select pgflow.create_flow('lonely')")
    database.execute("select pgmq.drop_queue('lonely')")

    result = pgflow("check", "--json", "--quick")

    assert result.exit_code == 1
    old, lost = findings(result, "pgmq")
    assert old["message"] == "it lacks pgmq.send_batch(text, jsonb[], integer)"
    assert "the queue of flow 'lonely' is gone" in lost["message"]
    # The advice is what helps.
    for statement in lost["advice"].partition("anew: ")[2].split("; "):
        database.execute(statement.encode())
    assert len(findings(pgflow("check", "--json", "--quick"), "pgmq")) == 1


def test_a_role_without_rights_is_told_which_it_needs(dsn: str, database: Connection) -> None:
    role = f"nobody_{uuid4().hex}"
    database.execute(f"create role {role}".encode())
    try:
        result = CliRunner().invoke(main, ["check", "--dsn", make_conninfo(dsn, options=f"-c role={role}")])
    finally:
        database.execute(f"drop role {role}".encode())

    assert result.exit_code == 1
    assert result.stdout.endswith(f"grant pgflow_client to {role}\n")


@pytest.mark.parametrize(
    ("role", "abilities"),
    [
        ("pgflow_client", "pgflow_client may start runs"),
        ("pgflow_worker", "pgflow_worker may work"),
        ("pgflow_migrator", "pgflow_migrator may start runs, work, define flows"),
    ],
)
def test_each_role_learns_what_it_may_and_what_it_cannot_look_at(dsn: str, role: str, abilities: str) -> None:
    result = CliRunner().invoke(main, ["check", "--json", "--dsn", make_conninfo(dsn, options=f"-c role={role}")])

    assert result.exit_code == 0, result.output
    assert findings(result, "roles")[0]["message"] == abilities
    assert findings(result, "transactions")[-1]["advice"] == "grant it pg_read_all_stats to see them"
    looked = {"level": "ok"} if role == "pgflow_migrator" else {"level": "notice"}
    for subject in ("pgmq", "invariants"):
        assert findings(result, subject)[0].items() >= looked.items()


def test_a_role_that_was_made_after_the_schema_lacks_its_rights(dsn: str, database: Connection) -> None:
    database.execute("revoke usage on schema pgflow from pgflow_client")
    result = CliRunner().invoke(main, ["check", "--json", "--dsn", dsn])

    assert result.exit_code == 0, result.output
    _, finding = findings(result, "roles")
    assert finding["level"] == "notice"
    assert finding["message"] == "pgflow_client was granted nothing here"
    assert finding["advice"].endswith("/versions/*/grants.sql by psql, oldest first")


def test_a_pooler_that_swallows_notifications_is_worth_knowing(pooler: PoolerFactory) -> None:
    result = CliRunner().invoke(main, ["check", "--json", "--dsn", pooler("transaction", size=1)])

    assert result.exit_code == 0, result.output
    (finding,) = findings(result, "listen")
    assert finding["level"] == "notice"
    assert "listen_dsn" in finding["advice"]


def test_a_way_past_the_pooler_is_looked_at_in_its_place(pooler: PoolerFactory, dsn: str) -> None:
    arguments = ["check", "--json", "--quick", "--dsn", pooler()]
    result = CliRunner().invoke(main, arguments, env={"PGFLOW_LISTEN_DSN": dsn})

    (finding,) = findings(result, "listen")
    assert finding["level"] == "ok"


def test_flows_are_compared_with_the_code(pgflow: Pgflow, dsn: str, database: Connection, module: str) -> None:
    unknown = pgflow("check", module, "--json")
    database.execute("select pgflow.create_flow('checked')")
    database.execute("select pgflow.add_step('checked', 'two')")
    other = pgflow("check", f"{module}:flow", "--json")
    with FlowClient(dsn) as client:
        from pgflow.cli._loading import load_flows

        client.register(load_flows([module])[0], replace=True)
    same = pgflow("check", module, "--json")

    assert [result.exit_code for result in (unknown, other, same)] == [1, 1, 0]
    assert "does not know flow 'checked'" in findings(unknown, "flows")[0]["message"]
    assert findings(other, "flows")[0]["message"].endswith("step 'one' is new; step 'two' is gone")
    assert "replace=True" in findings(other, "flows")[0]["advice"]
    assert findings(same, "flows")[0]["message"] == "checked is as in the code"


def test_a_flow_that_is_not_there_is_one_line(pgflow: Pgflow) -> None:
    result = pgflow("check", "no_such_module_here")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no module 'no_such_module_here'")


def test_an_old_transaction_is_named_with_what_ends_it(
    pgflow: Pgflow, connect: Callable[..., Connection], database: Connection
) -> None:
    idle = connect(autocommit=False)
    idle.execute("select 1")

    assert findings(pgflow("check", "--json"), "transactions")[0]["level"] == "ok"
    result = pgflow("check", "--json", "--old", "0")
    (finding,) = [
        finding for finding in findings(result, "transactions") if f"session {idle.info.backend_pid} " in str(finding)
    ]
    assert result.exit_code == 1
    database.execute(finding["advice"].rpartition(": ")[2].encode())
    with pytest.raises(psycopg.OperationalError):
        idle.execute("select 1")


def test_a_contradiction_is_found_unless_one_is_in_a_hurry(pgflow: Pgflow, database: Connection) -> None:
    database.execute("select pgflow.create_flow('counted')")
    database.execute("select pgflow.add_step('counted', 'one')")
    database.execute("select pgflow.start_flow('counted', 'null')")
    database.execute("update pgflow.runs set remaining_steps = 7")

    quick, thorough = pgflow("check", "--quick", "--json"), pgflow("check", "--json")
    database.execute("update pgflow.runs set remaining_steps = 1")

    assert quick.exit_code == 0
    assert thorough.exit_code == 1
    (finding,) = findings(thorough, "invariants")
    assert finding["message"].startswith(
        "remaining_steps counts the steps that are not completed: remaining_steps is 7"
    )


def test_a_server_out_of_reach_is_one_line_without_the_password() -> None:
    result = CliRunner().invoke(main, ["check", "--dsn", "postgresql://me:geheim@127.0.0.1:1/none"])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "geheim" not in result.output
