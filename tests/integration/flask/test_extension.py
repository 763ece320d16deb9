"""What an application gets, and when."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from pgflow import FlowClient
from pgflow.contrib.flask import Pgflow, current_client
from pgflow.errors import SettingsError, UnknownFlowError
from tests.integration.flask.greetings import flow, pgflow
from tests.plugins.waiting import DEADLINE


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGFLOW_DSN", raising=False)


def configured(**config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(config)
    Pgflow(app)
    return app


def test_the_configuration_may_come_after_the_extension_and_nothing_is_opened_before_it_is_needed(
    dsn: str, sessions: Callable[[], list[str]]
) -> None:
    threads = threading.active_count()
    app = Flask(__name__)
    extension = Pgflow(app)
    app.config["PGFLOW_DSN"] = dsn
    with app.app_context():
        client = extension.client
        assert (sessions(), threading.active_count()) == ([], threads)
        client.register(flow)
        assert client.start(flow, "x").flow_slug == "greet"
        client.close()


def test_one_extension_serves_two_applications_each_with_a_client_of_its_own(dsn: str, blank_dsn: str) -> None:
    extension = Pgflow()
    apps = []
    for database in (dsn, blank_dsn):
        app = Flask(__name__)
        app.config["PGFLOW_DSN"] = database
        extension.init_app(app)
        apps.append(app)
    with apps[0].app_context():
        here = extension.client
        assert here is extension.client
        with apps[1].app_context():
            there = extension.client
            assert there is not here
            with pytest.raises(Exception, match="no pgflow schema"):
                there.get_run("00000000-0000-0000-0000-000000000000")
        with pytest.raises(UnknownFlowError):
            extension.client.start("unheard-of")
    here.close()
    there.close()


def test_the_client_of_the_current_application_goes_by_a_name_of_its_own(app: Flask) -> None:
    with app.app_context():
        assert isinstance(current_client, FlowClient)
        assert current_client == pgflow.client
    with pytest.raises(RuntimeError, match="application context"):
        current_client.start("greet")


def test_threads_that_come_first_at_once_share_one_client(dsn: str) -> None:
    app = configured(PGFLOW_DSN=dsn)
    barrier = threading.Barrier(8)

    def client(_: int) -> FlowClient:
        with app.app_context():
            barrier.wait(DEADLINE)
            return current_client._get_current_object()  # type: ignore[attr-defined, no-any-return]

    with ThreadPoolExecutor(8) as pool:
        assert len({id(each) for each in pool.map(client, range(8))}) == 1


def test_the_environment_names_the_database_where_the_application_does_not(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGFLOW_DSN", dsn)
    app = configured()
    with app.app_context():
        current_client.register(flow)
        current_client.close()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, r"^PGFLOW_DSN: no database was named: pass a DSN .*, or set PGFLOW_DSN$"),
        ({"PGFLOW_DSN": "mysql://me:geheim@host/db"}, "^PGFLOW_DSN: the DSN is in no form that is understood"),
        ({"PGFLOW_DSN": 5}, "^PGFLOW_DSN must be text or a SQLAlchemy URL, and no int$"),
        ({"PGFLOW_DSN": "host=x", "PGFLOW_LISTEN_DSN": "geheim"}, "^PGFLOW_LISTEN_DSN: the DSN is in no form"),
        ({"PGFLOW_DSN": "host=x", "PGFLOW_POOL_SIZE": "10"}, "^PGFLOW_POOL_SIZE must be a number of connections"),
        ({"PGFLOW_DSN": "host=x", "PGFLOW_POOL_SIZE": 0}, "^PGFLOW_POOL_SIZE must be a number of connections"),
        ({"PGFLOW_DSN": "host=x", "PGFLOW_POOL_SIZE": True}, "^PGFLOW_POOL_SIZE must be a number of connections"),
        ({"PGFLOW_DSN": "host=x", "PGFLOW_FLOWS": [5]}, "^PGFLOW_FLOWS must be a list of flows"),
        ({"PGFLOW_DSN": "host=x", "PGFLOW_FLOWS": 5}, "^PGFLOW_FLOWS must be a list of flows"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_sentence(config: dict[str, Any], message: str) -> None:
    app = configured(**config)
    with app.app_context(), pytest.raises(SettingsError, match=message) as raised:
        current_client.start("flow")

    assert "geheim" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_application_without_the_extension_says_what_to_do() -> None:
    with Flask(__name__).app_context(), pytest.raises(SettingsError, match=r"call Pgflow\(app\), or init_app\(app\)"):
        current_client.start("flow")


def test_an_application_is_extended_once() -> None:
    app = configured()
    with pytest.raises(RuntimeError, match="already"):
        Pgflow(app)


def test_an_application_that_was_loaded_and_used_before_a_fork_works_in_parent_and_children(
    dsn: str, defined: None
) -> None:
    program = r"""
import os, sys
from tests.integration.flask.greetings import create_app, flow, pgflow

app = create_app({"PGFLOW_DSN": sys.argv[1]})

def use():
    with app.app_context():
        run = pgflow.client.start(flow, "x")
        events = run.events(10)
        next(events)
        events.close()
    os.write(1, b"ok\n")  # in one piece, whoever else writes

for parent_uses_it in (False, True):
    if parent_uses_it:
        use()
    children = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            try:
                use()
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
use()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, dsn],
        capture_output=True,
        text=True,
        timeout=6 * DEADLINE,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("ok\n" * 6, "")


def test_loading_it_imports_nothing_that_only_its_commands_need() -> None:
    program = "import pgflow.contrib.flask, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert {"sqlalchemy", "alembic", "pgmq", "django", "rich"}.isdisjoint(done.stdout.split())
