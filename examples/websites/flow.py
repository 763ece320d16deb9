"""The flow ``analyze-websites``: addresses become reports on pages, side by side, and the reports become a summary."""

from __future__ import annotations

from collections import Counter

from attrs import frozen

from pgflow import Context, FailPermanently, Flow
from websites.fetching import SiteTroubleError, UnreadablePageError, fetch
from websites.reading import read_page

__all__ = ["Page", "Request", "Site", "Summary", "analyze_site", "flow", "prepare_urls", "summarize"]

ATTEMPTS = 4


@frozen
class Request:
    """What a run is asked: the addresses to look at; without a scheme, ``https://`` is meant."""

    urls: list[str]


@frozen
class Site:
    """One address to look at; ``id`` counts from 1 in the order of the request."""

    id: int
    url: str


@frozen
class Page:
    """What was found at an address; where ``error`` says why there is nothing, the rest is empty."""

    id: int
    url: str
    title: str | None = None
    words: int = 0
    #: Other pages that this one leads to.
    links: int = 0
    #: ISO 639 code, declared or guessed.
    language: str | None = None
    error: str | None = None


@frozen
class Summary:
    """All pages together."""

    sites_analyzed: int
    #: How many of them could not be read.
    unreadable: int
    total_words: int
    total_links: int
    #: How many pages are in each language; ``?`` where it is unknown.
    languages: dict[str, int]
    #: The address with the most words; None if no page could be read.
    longest: str | None


flow = Flow("analyze-websites", input=Request)


@flow.step("prepare-urls")
def prepare_urls(run: Request) -> list[Site]:
    """Drop duplicates, number the rest; an address that is none of the web fails the run, as no attempt mends it."""
    urls = dict.fromkeys(url if "://" in url else f"https://{url}" for url in map(str.strip, run.urls) if url)
    for url in urls:
        if not url.lower().startswith(("http://", "https://")):
            raise FailPermanently(f"{url!r} is no http:// or https:// address")
    return [Site(number, url) for number, url in enumerate(urls, start=1)]


@flow.step("analyze-site", depends_on=[prepare_urls], fanout=True, max_attempts=ATTEMPTS, base_delay=1, timeout=60)
def analyze_site(site: Site, ctx: Context) -> Page:
    """Fetch a page and read it. A site in trouble is tried again; a page that stays dead is reported as such."""
    try:
        fetched = fetch(site.url)
    except UnreadablePageError as exc:
        return Page(site.id, site.url, error=str(exc))
    except SiteTroubleError as exc:
        if ctx.attempt < ATTEMPTS:
            raise
        return Page(site.id, site.url, error=f"{exc} ({ATTEMPTS} attempts)")
    page = read_page(fetched.body, fetched.url, fetched.charset)
    return Page(site.id, site.url, page.title, page.words, page.links, page.language)


@flow.step("summarize", depends_on=[analyze_site])
def summarize(analyze_site: list[Page]) -> Summary:
    """Add the pages up."""
    readable = [page for page in analyze_site if page.error is None]
    longest = max(readable, key=lambda page: page.words, default=None)
    return Summary(
        sites_analyzed=len(analyze_site),
        unreadable=len(analyze_site) - len(readable),
        total_words=sum(page.words for page in readable),
        total_links=sum(page.links for page in readable),
        languages=dict(Counter(page.language or "?" for page in readable)),
        longest=longest.url if longest else None,
    )
