"""Upgrades by every road: a DSN, connections that somebody else owns, a host's own revision, many processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config

from pgflow import migrations
from pgflow.errors import DsnError


def current(dsn: str) -> str | None:
    with psycopg.connect(dsn) as connection:
        return migrations.current(connection)


def engine(dsn: str) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=sqlalchemy.NullPool
    )


def test_a_dsn_is_upgraded_and_committed(blank_dsn: str) -> None:
    migrations.upgrade(blank_dsn)
    assert current(blank_dsn) == migrations.head()


def test_a_sqlalchemy_connection_takes_it_into_its_transaction(blank_dsn: str) -> None:
    with engine(blank_dsn).connect() as connection:
        migrations.upgrade(connection)
        connection.rollback()
        assert current(blank_dsn) is None

        migrations.upgrade(connection)
        connection.commit()
        assert current(blank_dsn) == migrations.head()


def test_a_psycopg_connection_takes_it_into_its_transaction(blank_dsn: str) -> None:
    with psycopg.connect(blank_dsn) as connection:
        connection.execute("create table of_the_caller ()")
        migrations.upgrade(connection)
        assert current(blank_dsn) is None
        connection.rollback()
        assert current(blank_dsn) is None

        connection.execute("create table of_the_caller ()")
        migrations.upgrade(connection)
        connection.commit()
        assert current(blank_dsn) == migrations.head()
        assert connection.execute("select to_regclass('of_the_caller') is not null").fetchone() == (True,)


def test_a_psycopg_connection_in_autocommit_mode_commits_the_whole(blank_dsn: str) -> None:
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        migrations.upgrade(connection)
        assert current(blank_dsn) == migrations.head()
        migrations.downgrade(connection, "base")
        assert current(blank_dsn) is None


def test_a_failing_upgrade_leaves_nothing_behind(blank_dsn: str) -> None:
    with psycopg.connect(blank_dsn, autocommit=True) as connection:
        # An index of this name stands in the way of the table.
        connection.execute("create schema pgflow; create table pgflow.runs ()")
        with pytest.raises(sqlalchemy.exc.ProgrammingError):
            migrations.upgrade(blank_dsn)
        assert migrations.current(connection) is None
        assert connection.execute("select to_regnamespace('pgmq')").fetchone() == (None,)


def test_no_dsn_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGFLOW_DSN", raising=False)
    with pytest.raises(DsnError, match="PGFLOW_DSN"), migrations.open_connection(None):
        pass


def test_twelve_processes_may_upgrade_a_blank_database_at_once(blank_dsn: str) -> None:
    commands = [[sys.executable, "-m", "pgflow", "migrate", "--dsn", blank_dsn]] * 12
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for command in commands
    ]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 12, said
    assert current(blank_dsn) == migrations.head()


HOST_ENV = """
from alembic import context
connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
# The host's own Alembic still works after ours has run.
assert context.config.attributes["connection"] is connection
"""

HOST_REVISION = """
import sqlalchemy
from alembic import op
from pgflow import migrations

revision = "abc"
down_revision = None

def upgrade():
    op.execute("create table before_pgflow (id int)")
    migrations.upgrade(op.get_bind())
    op.create_table("after_pgflow", sqlalchemy.Column("id", sqlalchemy.Integer))

def downgrade():
    op.drop_table("after_pgflow")
    migrations.downgrade(op.get_bind(), "base")
    op.drop_table("before_pgflow")
"""


FAILING = """
upgrade_for_real = upgrade

def upgrade():
    upgrade_for_real()
    raise RuntimeError("host")
"""


@pytest.fixture
def host(tmp_path: Path) -> Config:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(HOST_ENV)
    (tmp_path / "versions" / "abc.py").write_text(HOST_REVISION)
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    return config


def test_a_revision_of_the_host_upgrades_and_downgrades_within_its_transaction(host: Config, blank_dsn: str) -> None:
    with engine(blank_dsn).connect() as connection:
        host.attributes["connection"] = connection
        command.upgrade(host, "head")
        connection.commit()
        assert current(blank_dsn) == migrations.head()
        versions = connection.exec_driver_sql("select version_num from public.alembic_version").all()
        assert versions == [("abc",)], "the host keeps a version table of its own"
        connection.commit()

        command.downgrade(host, "base")
        connection.commit()
        assert current(blank_dsn) is None
        assert connection.exec_driver_sql("select to_regclass('before_pgflow')").scalar() is None


def test_a_failing_revision_of_the_host_takes_ours_back(host: Config, blank_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "versions" / "abc.py").write_text(HOST_REVISION + FAILING)
    with engine(blank_dsn).connect() as connection:
        host.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match="host"):
            command.upgrade(host, "head")
    assert current(blank_dsn) is None
