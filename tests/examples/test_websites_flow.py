"""The handlers of ``analyze-websites``, called as the functions that they are."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import Mock
from uuid import uuid4

import pytest

from pgflow import Context, FailPermanently
from pgflow.abc import HandlerAccess
from pgflow.models import TaskRecord
from pgflow.worker.database import HandlerDatabase
from site_server import SiteServer
from websites.fetching import SiteTroubleError
from websites.flow import ATTEMPTS, Page, Request, Site, Summary, analyze_site, flow, prepare_urls, summarize


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with SiteServer() as server:
        yield server


def at_attempt(number: int) -> Context:
    record = TaskRecord("analyze-websites", uuid4(), "analyze-site", {"run": {}}, 1, 0, number, number)
    return Context(
        record, timeout=60, structure=lambda plain: plain, database=HandlerDatabase(Mock(spec=HandlerAccess))
    )


def test_the_flow_has_the_steps_that_it_is_known_for() -> None:
    steps = flow.definition()["steps"]
    assert isinstance(steps, list)
    assert [(step["step_slug"], step["step_type"], step["deps"]) for step in steps] == [
        ("prepare-urls", "single", []),
        ("analyze-site", "fanout", ["prepare-urls"]),
        ("summarize", "single", ["analyze-site"]),
    ]


def test_addresses_are_numbered_completed_and_taken_once() -> None:
    sites = prepare_urls(Request(["kelden.example", " http://a.example/ ", "", "https://kelden.example"]))
    assert sites == [Site(1, "https://kelden.example"), Site(2, "http://a.example/")]


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd"])
def test_an_address_outside_the_web_is_refused_for_good(url: str) -> None:
    with pytest.raises(FailPermanently, match="is no http:// or https:// address"):
        prepare_urls(Request([url]))


def test_a_page_is_read(site: SiteServer) -> None:
    url = site.root + "hush.html"
    assert analyze_site(Site(7, url), at_attempt(1)) == Page(id=7, url=url, words=1)


def test_a_dead_page_is_a_page_with_an_error(site: SiteServer) -> None:
    page = analyze_site(Site(1, site.root + "lost-ferry.html"), at_attempt(1))
    assert page.error == "answered 404 Not Found"


def test_a_site_in_trouble_is_tried_again(site: SiteServer) -> None:
    tables = Site(1, site.root + "tide-tables.html")
    for attempt in (1, 2):
        with pytest.raises(SiteTroubleError):
            analyze_site(tables, at_attempt(attempt))
    assert analyze_site(tables, at_attempt(3)).title == "Tide tables, by I. Varga"


def test_after_the_last_attempt_the_trouble_is_reported(site: SiteServer) -> None:
    page = analyze_site(Site(1, site.root + "tide-tables.html"), at_attempt(ATTEMPTS))
    assert page.error == "answered 500 Internal Server Error (4 attempts)"


def test_a_summary_adds_up_what_could_be_read() -> None:
    pages = [
        Page(1, "http://a/", "A", words=5, links=1, language="en"),
        Page(2, "http://b/", "B", words=9, links=2, language="cs"),
        Page(3, "http://c/", error="answered 404 Not Found"),
        Page(4, "http://d/", "D", words=1, language="en"),
        Page(5, "http://e/"),
    ]
    assert summarize(pages) == Summary(
        sites_analyzed=5,
        unreadable=1,
        total_words=15,
        total_links=3,
        languages={"en": 2, "cs": 1, "?": 1},
        longest="http://b/",
    )


def test_a_summary_of_nothing_is_empty() -> None:
    assert summarize([]) == Summary(0, 0, 0, 0, {}, None)
