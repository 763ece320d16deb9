"""Fifty browsers at once: each is told of its own run, and those that go away leave nothing behind."""

from __future__ import annotations

from contextlib import ExitStack

from tests.browser.analyses import Analyses
from tests.browser.crowds import PATIENCE, blocking, each, streaming
from tests.browser.web_server import THREADS, WebServer, page_of_run
from tests.plugins.browser import open_stream
from tests.plugins.waiting import until

CROWD = 50
POOL_SIZE = 10
"""Connections of a client, unless an application says otherwise."""


def test_fifty_wait_and_fifty_watch_and_each_has_its_own_result(web: WebServer, analyses: Analyses) -> None:
    waited, watched = analyses.start_many(CROWD), analyses.start_many(CROWD)
    with each(waited, blocking(web)) as results, each(watched, streaming(web)) as streams:
        until(lambda: analyses.watched() == 2 * CROWD, "a crowd that is listened for", timeout=PATIENCE)
        assert analyses.listeners() == web.processes
        analyses.work()
        assert [each.result(PATIENCE) for each in results] == [analyses.address(run_id) for run_id in waited]
        assert [each.result(PATIENCE) for each in streams] == [analyses.address(run_id) for run_id in watched]


def followed(web: WebServer) -> int:
    """How many runs are followed in all processes together."""
    return sum(process["subscriptions"] for process in web.held())


def test_who_goes_away_in_the_middle_leaves_nothing_behind(web: WebServer, analyses: Analyses) -> None:
    # More than there are threads in all processes together: those of the first have to be free again for the last.
    rounds = THREADS * web.processes // CROWD + 1
    runs = analyses.start_many(CROWD)
    for _ in range(rounds):
        with ExitStack() as leaving:
            for run_id in runs:
                stream = leaving.enter_context(open_stream(web.url + page_of_run(run_id, "events")))
                stream.until("step:started")
            assert followed(web) >= CROWD
        until(lambda: followed(web) == 0, "nobody who is followed", timeout=PATIENCE)
    until(lambda: all(process["channels"] == 0 for process in web.held()), "listeners that listen on nothing")
    for process in web.held():
        assert process["connectors"] == 1
        assert process["receivers"] == 0
    # Those of gunicorn's pool; the main one, the listener, and those that see to the client's pool.
    assert web.server.threads() <= web.processes * (THREADS + 8)
    assert analyses.listeners() <= web.processes
    assert analyses.sessions() <= web.processes * POOL_SIZE
