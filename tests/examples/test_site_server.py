"""The example site's server: what it serves, and the trouble it makes on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from site_server import SiteServer


@pytest.fixture
def site() -> Iterator[SiteServer]:
    with SiteServer() as server:
        yield server


def status_of(site: SiteServer, path: str) -> int:
    return httpx.get(site.root + path, trust_env=False).status_code


def test_every_listed_page_answers_but_the_one_that_sank(site: SiteServer) -> None:
    statuses = {url.removeprefix(site.root): httpx.get(url, trust_env=False).status_code for url in site.urls}
    others = {path: status for path, status in statuses.items() if status != 200}
    assert others == {"lost-ferry.html": 404, "tide-tables.html": 500, "old-harbour": 301}


def test_the_tide_tables_answer_at_the_third_knock(site: SiteServer) -> None:
    assert [status_of(site, "tide-tables.html") for _ in range(4)] == [500, 500, 200, 200]


def test_each_server_counts_anew(site: SiteServer) -> None:
    assert [status_of(site, "tide-tables.html") for _ in range(3)] == [500, 500, 200]
    with SiteServer() as another:
        assert status_of(another, "tide-tables.html") == 500


def test_one_page_has_its_encoding_in_the_header_only(site: SiteServer) -> None:
    response = httpx.get(site.root + "ru/mayak.html", trust_env=False)
    assert response.charset_encoding == "windows-1251"
    assert b"charset" not in response.content


def test_nothing_outside_the_site_is_served(site: SiteServer) -> None:
    assert status_of(site, "%2e%2e/site_server.py") == 404


def test_it_listens_on_loopback_only(site: SiteServer) -> None:
    assert site.root.startswith("http://127.0.0.1:")


def test_nobody_listens_any_more_after_the_block() -> None:
    with SiteServer() as server:
        assert status_of(server, "hush.html") == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.root, trust_env=False)


def test_pauses_differ_by_page_and_stay_the_same() -> None:
    with SiteServer(pause=0.5) as server, SiteServer(pause=0.5) as another:
        pauses = [server.pause_for(f"/{name}.html") for name in ("ferry", "hush", "library", "notes")]
        assert len(set(pauses)) > 1
        assert all(0 <= pause < 0.5 for pause in pauses)
        assert pauses == [another.pause_for(f"/{name}.html") for name in ("ferry", "hush", "library", "notes")]
