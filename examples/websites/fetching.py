"""Fetch one web page: with time and size limits, and with a clear word on what is worth trying again."""

from __future__ import annotations

import time
from functools import cache

import httpx
from attrs import frozen

__all__ = ["FetchedPage", "SiteTroubleError", "UnreadablePageError", "fetch"]

TOTAL_SECONDS = 20.0
SILENT_SECONDS = 10.0
MAX_BYTES = 2_000_000
_HTML_TYPES = ("", "text/html", "application/xhtml+xml")
_PASSING_STATUSES = (408, 425, 429)


class UnreadablePageError(Exception):
    """The page is missing, too long or no HTML: the next attempt would find the same."""


class SiteTroubleError(Exception):
    """The site did not answer, or not as it should: the next attempt may find it recovered."""


@frozen
class FetchedPage:
    """The bytes of a page, and what the server said about them."""

    #: The address after redirects, which relative links count from.
    url: str
    body: bytes
    #: The encoding named in the Content-Type header; None if it names none.
    charset: str | None


def fetch(url: str) -> FetchedPage:
    """Fetch an HTML page of at most ``MAX_BYTES`` within ``TOTAL_SECONDS``, following redirects.

    :raises UnreadablePageError: trying again is useless; the message says why, without the URL.
    :raises SiteTroubleError: trying again may help.
    """
    try:
        with _client().stream("GET", url) as response:
            _check(response)
            return FetchedPage(str(response.url), _read(response), response.charset_encoding)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.DecodingError) as exc:
        raise UnreadablePageError(_one_line(exc)) from exc
    except httpx.TransportError as exc:
        raise SiteTroubleError(_one_line(exc)) from exc


@cache
def _client() -> httpx.Client:
    """One client for all threads of the process: it is safe to share, and costly to make."""
    return httpx.Client(
        timeout=SILENT_SECONDS, follow_redirects=True, headers={"User-Agent": "pgflow-example", "Accept": "text/html"}
    )


def _check(response: httpx.Response) -> None:
    # The standard phrase: the server's own could hold anything.
    answer = f"answered {response.status_code} {httpx.codes.get_reason_phrase(response.status_code)}".rstrip()
    if response.is_server_error or response.status_code in _PASSING_STATUSES:
        raise SiteTroubleError(answer)
    if not response.is_success:
        raise UnreadablePageError(answer)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type not in _HTML_TYPES:
        raise UnreadablePageError(f"is {media_type}, not HTML")


def _read(response: httpx.Response) -> bytes:
    # The client's timeout is for each silence: a server that drips byte by byte would pass it for ever.
    deadline = time.monotonic() + TOTAL_SECONDS
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise UnreadablePageError(f"is longer than {MAX_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise SiteTroubleError(f"took longer than {TOTAL_SECONDS:.0f} seconds")
    return bytes(body)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
