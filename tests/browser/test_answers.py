"""What the applications answer to a program, or to a browser without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.browser.analyses import Analyses, page_of
from tests.browser.conftest import FRAMEWORKS
from tests.browser.web_server import WebServer, page_of_run, web_server
from tests.plugins.waiting import meanwhile, until

MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
ESCAPED = "&lt;script&gt;alert(2)&lt;/script&gt;"


def test_the_form_starts_a_run_and_leads_to_its_page(web: WebServer, analyses: Analyses) -> None:
    answer = web.post("/", urls=" https://kelden.example/ \n\n kelden.example/ferry\n")
    assert answer.status_code == 303
    path = answer.headers["Location"]
    run = analyses.client.get_run(path.removeprefix("/runs/"))
    assert run.input == {"urls": ["https://kelden.example/", "kelden.example/ferry"]}
    page = web.get(path)
    assert page.status_code == 200
    assert str(run.run_id) in page.text
    assert [page.text.index(f'data-step="{slug}"') for slug in ("prepare-urls", "analyze-site", "summarize")]


def test_a_form_without_addresses_is_shown_again_with_what_was_typed(web: WebServer) -> None:
    assert web.post("/", urls=" \n").status_code == 422
    many = "\n".join(f"https://kelden.example/{number}" for number in range(201))
    answer = web.post("/", urls=many + "\n<b>")
    assert answer.status_code == 422
    assert "Give at most 200 addresses; these are 202." in answer.text
    assert "https://kelden.example/200\n&lt;b&gt;</textarea>" in answer.text


@pytest.mark.parametrize("page", ["", "events", "retries", "result"])
def test_an_unknown_run_is_not_found(page: str, web: WebServer) -> None:
    answer = web.get(page_of_run(uuid4(), page))
    assert answer.status_code == 404
    assert "There is no such run" in answer.text


def test_what_is_no_run_id_is_not_found(web: WebServer) -> None:
    assert web.get("/runs/7").status_code == 404
    assert web.get("/runs/7/result").status_code == 404


def test_the_result_is_waited_for(web: WebServer, analyses: Analyses) -> None:
    run_id = analyses.start("https://kelden.example/", "https://kelden.example/ferry")
    with meanwhile(lambda: web.get(page_of_run(run_id, "result"), accept="application/json")) as answer:
        until(lambda: analyses.watched() > 0, "a view that waits")
        assert not answer.done()
        analyses.work()
    assert answer.result().status_code == 200
    assert answer.result().headers["Vary"] == "Accept"
    said = answer.result().json()
    assert (said["run_id"], said["status"], said["error_message"]) == (str(run_id), "completed", None)
    assert said["output"]["summarize"]["sites_analyzed"] == 2


def test_the_result_of_a_failed_run_is_why_it_failed(web: WebServer, analyses: Analyses) -> None:
    run_id = analyses.start("ftp://kelden.example/")
    (task,) = analyses.claim()
    analyses.engine.fail(task, f"no such address: {MARKUP}", permanent=True)
    page = web.get(page_of_run(run_id, "result"))
    assert page.status_code == 200
    assert "The run failed" in page.text
    assert ESCAPED in page.text
    assert MARKUP not in page.text
    said = web.get(page_of_run(run_id, "result"), accept="application/json").json()
    assert (said["status"], said["output"]) == ("failed", None)
    assert MARKUP in said["error_message"]


def test_markup_in_a_title_stays_text(web: WebServer, analyses: Analyses) -> None:
    run_id = analyses.start_with_title(MARKUP)
    page = web.get(page_of_run(run_id, "result"))
    assert ESCAPED in page.text
    assert "<script>" not in page.text
    assert "<img" not in page.text


def test_markup_in_an_error_stays_text_among_the_retries(web: WebServer, analyses: Analyses) -> None:
    run_id = analyses.start()
    analyses.prepare()
    (task,) = analyses.claim()
    again = analyses.fail_for_now(task, MARKUP)
    page = web.get(page_of_run(run_id, "retries"))
    assert ESCAPED in page.text
    assert MARKUP not in page.text
    analyses.engine.complete(again, page_of(again))


@pytest.fixture(scope="module", params=FRAMEWORKS)
def impatient(
    request: pytest.FixtureRequest, module_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebServer]:
    """An application that waits for no result."""
    folder = tmp_path_factory.mktemp("impatient")
    with web_server(request.param, module_dsn, folder, processes=1, wait_seconds=0.05) as server:
        yield server


def test_what_takes_too_long_is_to_be_asked_for_again(impatient: WebServer, analyses: Analyses) -> None:
    run_id = analyses.start()
    for accept in ("text/html", "application/json"):
        answer = impatient.get(page_of_run(run_id, "result"), accept=accept)
        assert answer.status_code == 202
        assert answer.headers["Retry-After"] == "5"
        assert answer.headers["Location"] == page_of_run(run_id, "result")
    assert answer.json()["status"] == "started"
    assert f'href="{page_of_run(run_id, "result")}"' in impatient.get(page_of_run(run_id, "result")).text
    analyses.work()
    assert impatient.get(page_of_run(run_id, "result")).status_code == 200


@pytest.mark.parametrize(
    ("name", "kind"), [("app.css", "text/css"), ("icon.svg", "image/svg+xml"), ("live.js", "text/javascript")]
)
def test_the_files_of_a_page_are_served(name: str, kind: str, web: WebServer, analyses: Analyses) -> None:
    page = web.get(page_of_run(analyses.start()))
    assert f'="/static/{name}"' in page.text
    answer = web.get(f"/static/{name}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(kind)


def test_a_page_runs_nothing_but_its_script(web: WebServer, analyses: Analyses) -> None:
    text = web.get(page_of_run(analyses.start())).text
    assert "default-src 'self'" in text
    assert re.findall(r"<script[^>]*>", text) == ['<script src="/static/live.js" defer>']
    assert re.findall(r"\son\w+=|\sstyle=|javascript:", text) == []
