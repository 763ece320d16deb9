"""Print what a run of ``analyze-websites`` found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urljoin

from rich.console import Console
from rich.table import Table
from rich.text import Text

from websites.flow import Page, Summary

__all__ = ["print_report"]


def print_report(console: Console, pages: Sequence[Page], summary: Summary) -> None:
    """Print a row for each page, and the sums below."""
    root = _common_root([page.url for page in pages])
    table = Table(title=f"Pages of {root}" if root else "Pages", title_justify="left", show_footer=True)
    table.add_column("Page", f"{summary.sites_analyzed} pages", overflow="fold")
    table.add_column("Title", f"{summary.unreadable} unreadable" if summary.unreadable else "")
    table.add_column("Language", f"{len(summary.languages.keys() - {'?'})}", justify="right")
    table.add_column("Words", f"{summary.total_words:,}", justify="right")
    table.add_column("Links", f"{summary.total_links:,}", justify="right")
    for page in pages:
        address = Text(page.url.removeprefix(root) or "/")
        if page.error is not None:
            table.add_row(address, Text(page.error, "red"), "", "", "")
        else:
            title = Text(page.title) if page.title else Text("(no title)", "dim")
            table.add_row(address, title, page.language or "", f"{page.words:,}", f"{page.links:,}")
    console.print(table)
    by_frequency = Counter(summary.languages).most_common()
    languages = ", ".join(f"{language} {count}" for language, count in by_frequency)
    console.print(Text(f"Languages: {languages or 'none'}"), soft_wrap=True)
    if summary.longest is not None:
        console.print(Text(f"Longest: {summary.longest.removeprefix(root)}"), soft_wrap=True)


def _common_root(urls: Sequence[str]) -> str:
    """The address of the site that all pages are on; empty if they are on several."""
    roots = {urljoin(url, "/") for url in urls}
    return roots.pop() if len(roots) == 1 and len(urls) > 1 else ""
