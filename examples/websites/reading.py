"""Read a web page's bytes: its title, its language, how many words and links it has."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import urldefrag, urljoin

from attrs import frozen
from bs4 import BeautifulSoup, Tag

__all__ = ["PageReading", "count_words", "guess_language", "read_page"]

MAX_TITLE = 200
_MIN_LETTERS = 30
"""A guess from fewer letters says more about the detector than about the text."""

_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(?=-|_|$)")
_CHINESE_OR_KANA = re.compile("[\u3041-\u30fa\u3400-\u4dbf\u4e00-\u9fff]")


@frozen
class PageReading:
    """What a page says."""

    #: At most ``MAX_TITLE`` characters; None if the page has no title.
    title: str | None
    #: Of the text that a reader sees, see `count_words`.
    words: int
    #: Other pages that this one leads to; each counts once.
    links: int
    #: ISO 639 code, as declared by the page or else guessed from its text; None if neither says.
    language: str | None


def read_page(body: bytes, url: str, charset: str | None = None) -> PageReading:
    """Read an HTML page, however broken.

    :param body: the page as it came.
    :param url: its address, which relative links count from.
    :param charset: the encoding by the HTTP header, which wins over the one that the page declares.
    """
    page = BeautifulSoup(body, "lxml", from_encoding=charset)
    text = (page.body or page).get_text(" ")
    return PageReading(_title(page), count_words(text), len(_links(page, url)), _declared(page) or guess_language(text))


def count_words(text: str) -> int:
    """Count words: what stands between spaces and holds a letter or digit; in Chinese and Japanese, each character."""
    words = 0
    for token in text.split():
        rest, characters = _CHINESE_OR_KANA.subn("", token)
        words += characters + any(map(str.isalnum, rest))
    return words


def guess_language(text: str) -> str | None:
    """Guess the language of a text, as an ISO 639-1 code; None where there is too little to go by."""
    if sum(map(str.isalpha, text)) < _MIN_LETTERS:
        return None
    language: str | None = _detector().detect(" ".join(text.split())).language
    return language


@cache
def _detector() -> Any:
    """The language detector; its tables take 30 MB, so it is loaded when the first page declares no language."""
    from eld import LanguageDetector  # type: ignore[import-untyped]

    return LanguageDetector()


def _title(page: BeautifulSoup) -> str | None:
    if page.title is None:
        return None
    # A title ends up in a terminal: nothing that moves the cursor or turns the direction of writing may pass.
    words = "".join(c if c.isprintable() else " " for c in page.title.get_text()).split()
    return " ".join(words)[:MAX_TITLE] or None


def _declared(page: BeautifulSoup) -> str | None:
    html = page.find("html")
    declared = _LANGUAGE_TAG.match(_attribute(html, "lang").lower()) if isinstance(html, Tag) else None
    return declared.group() if declared else None


def _links(page: BeautifulSoup, url: str) -> set[str]:
    base = page.find("base", href=True)
    start = _join(url, _attribute(base, "href")) if isinstance(base, Tag) else url
    links = {_join(start, _attribute(anchor, "href")) for anchor in page.find_all("a", href=True)}
    return {link for link in links if link.startswith(("http://", "https://"))} - {urldefrag(url).url}


def _join(base: str, reference: str) -> str:
    """The absolute address without its fragment; empty if the reference is no address at all."""
    try:
        return urldefrag(urljoin(base, reference.strip())).url
    except ValueError:
        return ""


def _attribute(tag: Tag, name: str) -> str:
    value = tag.get(name, "")
    return value if isinstance(value, str) else ""
