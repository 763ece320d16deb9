"""PostgreSQL restarts while browsers wait: they are told all the same, and everything once."""

from __future__ import annotations

from pathlib import Path

from pgflow import migrations
from pgflow.embedded import EmbeddedServer
from tests.browser.conftest import FRAMEWORKS, analyses_in
from tests.browser.crowds import PATIENCE, blocking, each, streaming
from tests.browser.web_server import WebServer, page_of_run, web_server
from tests.plugins.server import crash
from tests.plugins.waiting import until

CROWD = 10


def test_who_waits_across_a_restart_is_told(own_server: EmbeddedServer, tmp_path: Path) -> None:
    migrations.upgrade(own_server.dsn())
    for framework in FRAMEWORKS:
        with web_server(framework, own_server.dsn(), tmp_path) as web:
            restart_while_waiting(web, own_server)


def restart_while_waiting(web: WebServer, server: EmbeddedServer) -> None:
    """Have some wait and some watch, restart the server when their runs are half done, and see the rest done."""
    with analyses_in(server.dsn()) as before:
        waited, watched = before.start_many(CROWD), before.start_many(CROWD)
        with each(waited, blocking(web)) as results, each(watched, streaming(web)) as streams:
            until(lambda: before.watched() == 2 * CROWD, "a crowd that is listened for", timeout=PATIENCE)
            for _ in range(CROWD):
                before.prepare()
            crash(server)
            with analyses_in(server.dsn()) as after:
                after.work()
                assert [each.result(PATIENCE) for each in results] == [after.address(run_id) for run_id in waited]
                assert [each.result(PATIENCE) for each in streams] == [after.address(run_id) for run_id in watched]
    assert {web.get(page_of_run(run_id, "retries")).status_code for run_id in waited} == {200}
