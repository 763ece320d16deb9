"""The page about leases as a session at psql, and what it says of the Python worker's numbers."""

from __future__ import annotations

import inspect
import re

from pgflow import Worker
from pgflow.worker import upkeep
from tests.docs.pages import Page
from tests.docs.sql_session import play, statements
from tests.plugins.databases import Connection

PAGE = Page("concepts/leases.md")


def test_the_session_goes_as_shown(database: Connection) -> None:
    play(PAGE, database)


def test_nothing_on_the_page_is_passed_over() -> None:
    assert len([*statements(PAGE)]) == sum(block.text.count(";") for block in PAGE.blocks("sql"))


def test_the_numbers_are_the_workers() -> None:
    text = " ".join(PAGE.text.split())
    assert f"{inspect.signature(Worker).parameters['lease'].default:g} seconds by default" in text
    assert upkeep._HEARTBEAT == 7 and "each seven seconds" in text  # noqa: PT018  one fact


def test_an_extension_may_go_five_seconds_beyond_the_timeout(database: Connection) -> None:
    ((source,),) = database.execute("select prosrc from pg_proc where oid = 'pgflow.extend_leases'::regproc").fetchall()
    assert re.search(r"o\.timeout \+ 5\.0", source)
    assert "by more than five seconds" in PAGE.text
