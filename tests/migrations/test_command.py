"""``pgflow migrate``: exit statuses, and messages of one line that never hold a password."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgflow import migrations


def pgflow(*arguments: str, dsn: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pgflow", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PGFLOW_DSN": dsn},
        check=False,
    )


def test_it_brings_a_database_to_the_head_and_says_so(blank_dsn: str) -> None:
    done = pgflow("migrate", dsn=blank_dsn)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"the database is at revision {migrations.head()}\n", "")


def test_who_may_not_create_schemas_is_told_what_it_takes(dsn: str, blank_dsn: str) -> None:
    done = pgflow("migrate", dsn=make_conninfo(blank_dsn, options="-c role=pgflow_client"))

    assert done.returncode == 1
    assert "grant create on database" in done.stderr


def test_it_goes_to_a_named_revision_and_back(blank_dsn: str) -> None:
    oldest = migrations.revisions()[0]
    assert oldest in pgflow("migrate", "--revision", oldest, "--dsn", blank_dsn).stdout
    done = pgflow("migrate", "--downgrade", "base", "--dsn", blank_dsn)
    assert (done.returncode, done.stdout) == (0, "the database has no pgflow schema any more\n")


def test_the_status_says_where_the_database_stands(blank_dsn: str) -> None:
    before = pgflow("migrate", "--status", dsn=blank_dsn)
    assert before.returncode == 1
    assert re.fullmatch(r"Error: the database \(.+\) has no pgflow schema: run `pgflow migrate`\n", before.stderr)

    pgflow("migrate", dsn=blank_dsn)
    after = pgflow("migrate", "--status", dsn=blank_dsn)
    assert (after.returncode, after.stderr) == (0, "")
    assert f"database: {migrations.head()};" in after.stdout


def test_the_script_needs_no_database_and_migrates_one(blank_dsn: str) -> None:
    script = pgflow("migrate", "--sql")
    assert (script.returncode, script.stderr) == (0, "")
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        connection.execute(script.stdout.encode())
        migrations.check(connection)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user:hunter2@127.0.0.1:1/nowhere",
        "host=127.0.0.1 port=1 user=user password=hunter2",
        "postgresql+psycopg://user:hunter2@127.0.0.1:1/nowhere",
        "postgres:/user:hunter2@127.0.0.1",
    ],
)
def test_a_server_out_of_reach_is_one_line_without_the_password(dsn: str) -> None:
    for arguments in (["migrate"], ["migrate", "--status"]):
        done = pgflow(*arguments, dsn=dsn)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1
        assert "hunter2" not in done.stdout + done.stderr


def test_no_database_named_is_one_line(blank_dsn: str) -> None:
    done = pgflow("migrate")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: no database was named")
    assert done.stderr.count("\n") == 1


def test_an_unknown_revision_is_one_line(blank_dsn: str) -> None:
    done = pgflow("migrate", "--revision", "nonsense", dsn=blank_dsn)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_the_database_refuses_is_one_line(blank_dsn: str) -> None:
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        connection.execute("create schema pgflow; create table pgflow.runs ()")
    done = pgflow("migrate", dsn=blank_dsn)
    assert done.returncode == 1
    assert done.stderr == 'Error: relation "runs" already exists\n'
