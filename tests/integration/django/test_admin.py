"""Runs in Django's admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from pgflow import Flow, FlowRun
from pgflow.contrib.django import get_client
from pgflow.contrib.django.run_page import duration
from pgflow.testing import run_flow
from tests.integration.django.shop.orders.flows import count_words
from tests.plugins.databases import Connection
from tests.plugins.engine import NOBODY

RUNS = "/admin/pgflow/run/"


@pytest.fixture
def browser(dsn: str) -> Browser:
    """One that a superuser has logged in by."""
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    return browser


def run(flow: Flow[Any], input: Any = None) -> FlowRun:
    with transaction.atomic():
        return run_flow(flow, input, connection=connection)


def page(browser: Browser, run_id: UUID) -> str:
    answer = browser.get(f"{RUNS}{run_id}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def changes(browser: Browser, **query: str) -> Any:
    """The list, as its template gets it."""
    answer = browser.get(RUNS, query)
    assert answer.status_code == 200
    assert answer.context_data is not None
    return answer.context_data["cl"]


def rows(browser: Browser, **query: str) -> list[str]:
    """The ids in the list, from above to below."""
    return [str(each.run_id) for each in changes(browser, **query).result_list]


def test_the_list_has_the_newest_first(browser: Browser) -> None:
    first, second = run(count_words, "a"), run(count_words, "b")

    assert rows(browser) == [str(second.run_id), str(first.run_id)]


def test_the_list_says_how_runs_fared(browser: Browser) -> None:
    run(count_words, "unlucky")
    text = browser.get(RUNS).content.decode()

    assert "count-words" in text
    assert '<span class="pgflow-status pgflow-failed">failed</span>' in text
    assert "ValueError: a &lt;b&gt;word&lt;/b&gt; that nobody can measure" in text


def test_runs_are_found_by_flow_status_and_age(browser: Browser, database: Connection) -> None:
    other: Flow[Any] = Flow("other")

    @other.step
    def nothing(run: None) -> None:
        """Do nothing."""

    failed, completed, old = run(count_words, "unlucky"), run(count_words, "a"), run(other)
    database.execute(
        "update pgflow.runs set started_at = started_at - %s where run_id = %s", [timedelta(days=8), old.run_id]
    )

    assert set(rows(browser, flow="count-words")) == {str(failed.run_id), str(completed.run_id)}
    assert rows(browser, flow="other") == [str(old.run_id)]
    assert rows(browser, status__exact="failed") == [str(failed.run_id)]
    assert rows(browser, age="older") == [str(old.run_id)]
    for age in ("hour", "day", "week"):
        assert set(rows(browser, age=age)) == {str(failed.run_id), str(completed.run_id)}
    assert len(rows(browser, age="nonsense")) == 3


def test_a_run_is_found_by_its_id(browser: Browser) -> None:
    wanted = run(count_words, "a")
    run(count_words, "b")

    assert rows(browser, q=f" {wanted.run_id} ") == [str(wanted.run_id)]
    assert rows(browser, q=str(uuid4())) == []


@pytest.mark.parametrize("term", ["nonsense", "0193", "'; drop table", "{}", "%", "ü" * 40])
def test_what_is_no_id_finds_nothing(browser: Browser, term: str) -> None:
    run(count_words, "a")

    assert rows(browser, q=term) == []


def test_what_is_no_text_is_no_error(browser: Browser) -> None:
    assert browser.get(RUNS, {"q": "\x00"}).status_code == 200


@pytest.mark.parametrize("run_id", [str(NOBODY), "nonsense", "_00", "1"])
def test_the_page_of_no_run_is_not_there(browser: Browser, run_id: str) -> None:
    answer = browser.get(f"{RUNS}{run_id}/change/", follow=True)

    assert answer.redirect_chain == [("/admin/", 302)]
    assert "Perhaps it was deleted?" in answer.content.decode()


def test_the_failing_step_comes_first(browser: Browser) -> None:
    text = page(browser, run(count_words, "one unlucky word").run_id)

    assert text.index("Failed at step") < text.index("Status") < text.index('id="step-split"')
    assert text.index('id="step-split"') < text.index('id="step-measure"')
    assert "Task 1, attempt 1" in text
    assert "in measure" in text, "the traceback"


def test_values_are_escaped_and_shortened(browser: Browser) -> None:
    text = page(browser, run(count_words, "<script>alert(1)</script> " * 500).run_id)

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.count("alert(1)") < 250


def test_of_many_tasks_some_are_shown_and_those_that_failed_first(browser: Browser) -> None:
    text = page(browser, run(count_words, "word " * 49 + "unlucky").run_id)

    assert "49 of 50 tasks" in text
    assert "20 of 50 tasks: those that failed, run or were tried again come first." in text
    measure = text[text.index('id="step-measure"') :]
    assert measure.index("<td>49</td>") < measure.index("<td>0</td>")


def test_a_run_that_goes_on_is_shown_as_it_is(browser: Browser) -> None:
    get_client().register(count_words)
    text = page(browser, get_client().start(count_words, "a").run_id)

    assert "Running for" in text
    assert '<span class="pgflow-status pgflow-queued">queued</span>' in text
    assert "Failed" not in text


def test_nobody_adds_changes_or_deletes(browser: Browser) -> None:
    run_id = run(count_words, "a").run_id

    assert browser.get(f"{RUNS}add/").status_code == 403
    assert browser.post(f"{RUNS}{run_id}/change/", {"status": "failed"}).status_code == 403
    assert browser.post(f"{RUNS}{run_id}/delete/", {"post": "yes"}).status_code == 403
    assert browser.get(f"{RUNS}{run_id}/history/").status_code == 200
    browser.post(RUNS, {"action": "delete_selected", "_selected_action": [str(run_id)]})
    assert get_client().get_run(run_id).status == "completed"


def test_looking_takes_the_permission_to_look(dsn: str) -> None:
    run_id = run(count_words, "a").run_id
    user = User.objects.create_user("clerk", is_staff=True)
    browser = Browser()
    browser.force_login(user)
    assert browser.get(RUNS).status_code == 403
    assert browser.get(f"{RUNS}{run_id}/change/").status_code == 403

    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    assert browser.get(RUNS).status_code == 200
    assert browser.get(f"{RUNS}{run_id}/change/").status_code == 200
    # There is nothing else that could be permitted.
    assert Permission.objects.filter(content_type__app_label="pgflow").count() == 1


def test_a_list_of_many_runs_is_never_counted(browser: Browser, database: Connection) -> None:
    with transaction.atomic():
        get_client().register(count_words)
        get_client().start_many(count_words, ["a"] * 3_000)
    database.execute("analyze pgflow.runs")
    with CaptureQueriesContext(connection) as queries:
        listed = changes(browser, p="30")

    assert listed.result_count == 3_000, "the planner knows"
    assert len(listed.result_list) == 50
    counting = [query["sql"] for query in queries if "COUNT(" in query["sql"] and "runs" in query["sql"]]
    assert all("LIMIT 1001" in sql for sql in counting)
    assert not any('"input"' in query["sql"] for query in queries), "what may be large stays where it is"
    database.execute("select pgflow.delete_flow('count-words')")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0123, "12 ms"), (59.94, "59.9 s"), (60, "1 min 0 s"), (7_260, "2 h 1 min"), (-1, "0 ms")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    from django.utils import timezone

    now = timezone.now()
    assert duration(now, now + timedelta(seconds=seconds)) == text
    assert duration(None, None) == ""
