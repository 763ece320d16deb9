"""The page reader against every page of the example site, and against what only hostile sites send."""

from __future__ import annotations

import pytest

from site_server import CHARSETS, SITE
from websites.reading import MAX_TITLE, PageReading, count_words, guess_language, read_page

ROOT = "http://kelden.example/"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


def reading_of(path: str, charset: str | None = None) -> PageReading:
    return read_page((SITE / path).read_bytes(), ROOT + path, charset or CHARSETS.get(f"/{path}"))


def test_the_site_has_a_couple_of_dozen_pages() -> None:
    assert 24 <= len(PAGES) <= 40


@pytest.mark.parametrize("path", [path for path in PAGES if path != "fog.html"])
def test_every_page_but_the_fog_has_words(path: str) -> None:
    assert reading_of(path).words >= 1


@pytest.mark.parametrize("path", [path for path in PAGES if path not in ("fog.html", "hush.html", "notes.html")])
def test_every_page_with_a_title_shows_it_on_one_clean_line(path: str) -> None:
    title = reading_of(path).title
    assert title
    assert title.isprintable()
    assert "\ufffd" not in title


@pytest.mark.parametrize("language", ["ar", "cs", "de", "el", "es", "fr", "hi", "it", "ja", "ru"])
def test_the_language_is_found_whether_declared_or_not(language: str) -> None:
    (path,) = (path for path in PAGES if path.startswith(f"{language}/"))
    assert reading_of(path).language == language


def test_a_declared_language_loses_its_region() -> None:
    assert reading_of("harbour.html").language == "en"


def test_an_encoding_declared_by_the_page_is_used() -> None:
    assert reading_of("ja/toudai.html").title == "灯台と百四十八段の階段"
    assert reading_of("de/gasthaus.html").title == "Gasthaus „Zum späten Fährmann“: Zimmer, Brühe, Gespräche"


def test_an_encoding_named_by_the_header_is_used() -> None:
    assert b"charset" not in (SITE / "ru/mayak.html").read_bytes()
    assert reading_of("ru/mayak.html", "windows-1251").title == "Письмо на радио"


def test_an_encoding_that_does_not_exist_is_ignored() -> None:
    assert reading_of("el/faros.html", "utf-9").title == "Ο φάρος και η γάτα του"  # noqa: RUF001


def test_an_empty_page_reads_as_nothing() -> None:
    assert reading_of("fog.html") == PageReading(title=None, words=0, links=0, language=None)


def test_a_tiny_page_is_too_short_for_a_guess_of_its_language() -> None:
    assert reading_of("hush.html") == PageReading(title=None, words=1, links=0, language=None)


def test_a_page_without_a_title_has_none() -> None:
    assert reading_of("notes.html").title is None


def test_broken_markup_is_read_as_browsers_would() -> None:
    soup = reading_of("soup.html")
    assert soup.title == "Kelden fish soup < 1 hour"
    assert soup.links == 3


def test_scripts_styles_comments_and_templates_are_no_words() -> None:
    body = (SITE / "radio.html").read_bytes()
    assert b"<template>" in body
    assert reading_of("radio.html").words == 50


def test_entities_and_line_breaks_in_titles_are_resolved() -> None:
    assert reading_of("glossary.html").title == "Island words: from ægwatch to zéphyrine"
    assert reading_of("islands/north/bird-cliff.html").title == "North Kelden: the bird cliff"


def test_links_count_from_the_declared_base_and_once_each() -> None:
    page = b"""<base href="/islands/"><a href="a">1</a> <a href="/islands/a#x">the same</a> <a href="../b">2</a>"""
    assert read_page(page, ROOT + "deep/er/page.html").links == 2


@pytest.mark.parametrize("href", ["#top", "mailto:a@b.example", "javascript:void(0)", "tel:300", "http://[", ""])
def test_what_leads_to_no_other_page_is_no_link(href: str) -> None:
    assert read_page(f'<p><a href="{href}">x</a>'.encode(), ROOT).links == 0


def test_a_title_cannot_steer_a_terminal() -> None:
    reading = read_page("<title>a\x1b[31mb\u202ec\x07</title>".encode(), ROOT)
    assert reading.title == "a [31mb c"


def test_an_endless_title_is_cut() -> None:
    assert len(read_page(b"<title>" + b"long " * 10_000, ROOT).title or "") == MAX_TITLE


@pytest.mark.parametrize("body", [b"\0" * 100, b"\xff\xfe", bytes(range(256)) * 4, b"<div>" * 20_000 + b"deep"])
def test_no_bytes_are_too_bad_to_be_read(body: bytes) -> None:
    assert read_page(body, ROOT).title is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("one", 1),
        ("one \N{EN DASH} two, 3!", 3),
        ("l'hiver dos au vent", 4),
        ("यहाँ सब ठीक है", 4),
        ("灯台は", 3),
        ("灯台 and lamp", 4),
        ("🐑 ½", 1),
    ],
)
def test_words_are_counted_as_their_script_separates_them(text: str, words: int) -> None:
    assert count_words(text) == words


def test_a_guess_needs_some_text() -> None:
    assert guess_language("ok") is None
    assert guess_language("Každý večer se v přístavu rozsvítí starý maják.") == "cs"
