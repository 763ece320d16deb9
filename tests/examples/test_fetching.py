"""Fetching a page over HTTP: what is worth another attempt, and what is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from site_server import SiteServer
from websites.fetching import MAX_BYTES, SiteTroubleError, UnreadablePageError, fetch


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[SiteServer]:
    with SiteServer() as server:
        yield server


@contextmanager
def answering(status: int, content_type: str = "text/html", body: bytes = b"", location: str = "") -> Iterator[str]:
    """A server that gives every request one answer; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_page_comes_with_its_bytes_and_its_address(site: SiteServer) -> None:
    page = fetch(site.root + "hush.html")
    assert (page.url, page.body, page.charset) == (site.root + "hush.html", b"<p>Shh.", None)


def test_a_redirect_is_followed_and_the_new_address_known(site: SiteServer) -> None:
    assert fetch(site.root + "old-harbour").url == site.root + "harbour.html"


def test_the_encoding_of_the_header_is_passed_on(site: SiteServer) -> None:
    assert fetch(site.root + "ru/mayak.html").charset == "windows-1251"


def test_a_server_error_is_trouble_that_may_pass(site: SiteServer) -> None:
    for _ in range(2):
        with pytest.raises(SiteTroubleError, match=r"^answered 500 Internal Server Error$"):
            fetch(site.root + "tide-tables.html")
    assert b"third time" in fetch(site.root + "tide-tables.html").body


@pytest.mark.parametrize("status", [408, 429, 502, 503])
def test_a_site_that_asks_for_patience_is_in_trouble(status: int) -> None:
    with answering(status) as url, pytest.raises(SiteTroubleError, match=str(status)):
        fetch(url)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_page_that_is_refused_stays_unreadable(status: int) -> None:
    with answering(status) as url, pytest.raises(UnreadablePageError, match=f"answered {status}"):
        fetch(url)


def test_a_dead_link_is_unreadable(site: SiteServer) -> None:
    with pytest.raises(UnreadablePageError, match=r"^answered 404 Not Found$"):
        fetch(site.root + "lost-ferry.html")


def test_what_is_no_html_is_unreadable(site: SiteServer) -> None:
    with pytest.raises(UnreadablePageError, match=r"^is text/plain, not HTML$"):
        fetch(site.root + "anthem.txt")


def test_a_page_that_is_too_long_is_not_read_to_its_end() -> None:
    with answering(200, body=b"x" * (MAX_BYTES + 1)) as url, pytest.raises(UnreadablePageError, match="longer than"):
        fetch(url)


def test_redirects_in_a_circle_are_unreadable() -> None:
    with answering(302, location="/again") as url, pytest.raises(UnreadablePageError, match="redirects"):
        fetch(url)


def test_a_redirect_out_of_the_web_is_unreadable() -> None:
    with answering(302, location="ftp://127.0.0.1/") as url, pytest.raises(UnreadablePageError, match="protocol"):
        fetch(url)


def test_a_site_that_does_not_answer_is_in_trouble() -> None:
    with SiteServer() as gone:
        root = gone.root
    with pytest.raises(SiteTroubleError, match="refused"):
        fetch(root)


def test_an_address_that_is_none_is_unreadable() -> None:
    with pytest.raises(UnreadablePageError):
        fetch("http://")
