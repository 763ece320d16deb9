"""A run as a browser shows it, from the form to the result."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.analyses import Analyses, page_of
from tests.browser.live_page import LivePage, photograph, show, start_run
from tests.browser.web_server import Framework, WebServer, WorkerClass, page_of_run, web_server
from websites.flow import flow

ADDRESSES = [f"https://kelden.example/{name}" for name in ("", "ferry", "harbour", "lighthouse")]
MARKUP = "<img src=x onerror=\"document.title='broken into'\"><b>Ferry</b>"


@pytest.mark.parametrize(
    ("framework", "worker_class", "preload"),
    [("flask", "gthread", True), ("flask", "sync", False), ("django", "gthread", False), ("django", "sync", True)],
)
def test_a_run_is_started_and_watched_to_its_end(
    framework: Framework,
    worker_class: WorkerClass,
    preload: bool,
    chromium: Chrome,
    analyses: Analyses,
    module_dsn: str,
    tmp_path: Path,
) -> None:
    # The other class does one thing at a time in each process, and a page asks for several.
    processes = 2 if worker_class == "gthread" else 4
    with web_server(
        framework, module_dsn, tmp_path, worker_class=worker_class, preload=preload, processes=processes
    ) as web:
        page = start_run(chromium, web.url, *ADDRESSES)
        shown = page.until(lambda shown: shown["steps"]["prepare-urls"]["status"] == "started", "the first step")
        assert (shown["status"], shown["connection"]) == ("Running", "Live")
        assert [step["status"] for step in shown["steps"].values()] == ["started", "created", "created"]

        analyses.prepare()
        tasks = analyses.claim(len(ADDRESSES))
        for task in tasks[:2]:
            analyses.engine.complete(task, page_of(task))
        again = analyses.fail_for_now(tasks[2], "answered 503 Service Unavailable")
        shown = page.until(
            lambda shown: shown["steps"]["analyze-site"]["done"] == 2 and shown["retries"], "half of the pages"
        )
        assert shown["steps"]["prepare-urls"]["status"] == "completed"
        assert shown["steps"]["analyze-site"]["detail"] == "2 of 4 tasks"
        assert "Attempt 2 https://kelden.example/harbour\nanswered 503 Service Unavailable" in shown["retries"]
        photograph(chromium, tmp_path, "live")

        for task in (again, tasks[3]):
            analyses.engine.complete(task, page_of(task))
        analyses.work()
        shown = page.until_ended("Completed")
        assert {step["status"] for step in shown["steps"].values()} == {"completed"}
        assert (shown["steps"]["analyze-site"]["done"], shown["steps"]["analyze-site"]["tasks"]) == (4, 4)
        assert "Page 3" in shown["result"]
        assert "4,800" in shown["result"]
        photograph(chromium, tmp_path, "completed")
        assert page.complaints() == []


def open_run(browser: Chrome, web: WebServer, analyses: Analyses, *addresses: str) -> LivePage:
    browser.get(web.url + page_of_run(analyses.start(*addresses)))
    return LivePage(browser)


def test_a_run_that_fails_says_why(web: WebServer, chromium: Chrome, analyses: Analyses, tmp_path: Path) -> None:
    page = open_run(chromium, web, analyses)
    analyses.prepare()
    (task,) = analyses.claim()
    analyses.engine.fail(task, f"it answered {MARKUP}", permanent=True)
    shown = page.until_ended("Failed")
    assert [step["status"] for step in shown["steps"].values()] == ["completed", "failed", "cancelled"]
    assert MARKUP in shown["steps"]["analyze-site"]["detail"]
    assert MARKUP in shown["result"]
    assert not chromium.find_elements(By.CSS_SELECTOR, "main img, main b")
    assert chromium.title == "Failed · analyze-websites"
    photograph(chromium, tmp_path, "failed")
    assert page.complaints() == []


def test_markup_in_a_title_stays_text(web: WebServer, chromium: Chrome, analyses: Analyses) -> None:
    chromium.get(web.url + page_of_run(analyses.start_with_title(MARKUP)))
    page = LivePage(chromium)
    assert MARKUP in page.until_ended("Completed")["result"]
    assert not chromium.find_elements(By.CSS_SELECTOR, "main img, main b")
    assert chromium.title == "Completed · analyze-websites"
    assert page.complaints() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_nothing_is_cut_off(
    theme: str, width: int, web: WebServer, chromium: Chrome, analyses: Analyses, tmp_path: Path
) -> None:
    show(chromium, width=width, theme=theme)
    page = open_run(chromium, web, analyses, *ADDRESSES)
    analyses.work()
    page.until_ended("Completed")
    for name in ("run", "form"):
        assert chromium.execute_script("scrollBy(1000, 0); return scrollX") == 0
        photograph(chromium, tmp_path, name)
        chromium.get(web.url)
    colour = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(18, 23, 21)") == (theme == "dark")


def test_who_cannot_see_the_page_is_told(web: WebServer, chromium: Chrome, analyses: Analyses) -> None:
    chromium.get(web.url)
    assert chromium.find_element(By.ID, "urls").accessible_name == "Addresses, one a line"
    page = open_run(chromium, web, analyses)
    bar = chromium.find_element(By.TAG_NAME, "progress")
    assert (bar.aria_role, bar.accessible_name) == ("progressbar", "Tasks of analyze-site")
    assert chromium.find_element(By.ID, "status").aria_role == "status"
    assert chromium.find_element(By.ID, "result").get_dom_attribute("aria-live") == "polite"
    analyses.work()
    page.until_ended("Completed")


def break_streams(web: WebServer) -> None:
    """End the processes that serve; gunicorn replaces them."""
    for process in web.server.workers():
        process.kill()


def test_a_stream_that_breaks_is_opened_again(web: WebServer, chromium: Chrome, analyses: Analyses) -> None:
    page = open_run(chromium, web, analyses, *ADDRESSES)
    page.until(lambda shown: shown["connection"] == "Live", "a page that is live")
    break_streams(web)
    page.until(lambda shown: shown["connection"] == "Reconnecting…", "a page that has noticed")
    analyses.prepare()
    page.until(
        lambda shown: shown["connection"] == "Live" and shown["steps"]["analyze-site"]["status"] == "started",
        "a page that is live again",
    )
    analyses.work()
    page.until_ended("Completed")


def test_a_run_that_is_deleted_is_followed_no_longer(web: WebServer, chromium: Chrome, analyses: Analyses) -> None:
    page = open_run(chromium, web, analyses)
    page.until(lambda shown: shown["connection"] == "Live", "a page that is live")
    analyses.client.register(flow, replace=True)
    break_streams(web)
    page.until(lambda shown: shown["connection"] == "The run was deleted", "a page that knows")
