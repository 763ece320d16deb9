"""What the pages say of a run, whatever framework renders them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from attrs import frozen

from pgflow import FlowRun, RunStatus
from websites.flow import Page, Summary, analyze_site, flow, summarize
from websites.progress import Retry, read_retries

__all__ = [
    "MAX_URLS",
    "STATIC",
    "TEMPLATES",
    "AddressesError",
    "Report",
    "RetryLine",
    "StepLine",
    "as_json",
    "live_page",
    "read_urls",
    "result_page",
    "retries_page",
    "suggested_urls",
]

STATIC = Path(__file__).with_name("static")
TEMPLATES = Path(__file__).with_name("templates")
MAX_URLS = 200


class AddressesError(ValueError):
    """What was typed into the form is nothing to start a run with; the message is for whoever typed it."""


def read_urls(text: str) -> list[str]:
    """Return the addresses in a text, one a line.

    :raises AddressesError: there is none, or more than ``MAX_URLS``.
    """
    urls = [line.strip() for line in text.splitlines() if line.strip()]
    if not urls:
        raise AddressesError("Give at least one address.")
    if len(urls) > MAX_URLS:
        raise AddressesError(f"Give at most {MAX_URLS} addresses; these are {len(urls)}.")
    return urls


def suggested_urls() -> str:
    """What the form holds at first: the addresses in ``SUGGESTED_URLS``, one a line."""
    return "\n".join(os.environ.get("SUGGESTED_URLS", "").split())


@frozen
class StepLine:
    """A step as the live page begins with it, before the first event."""

    slug: str
    is_fanout: bool


def live_page(run: FlowRun) -> dict[str, Any]:
    """What ``run.html`` shows; the rest comes by events."""
    steps = [StepLine(step.slug, step.is_fanout) for step in flow.steps.values()]
    return {"run": run, "steps": steps, "now": datetime.now(UTC).isoformat()}


@frozen
class Figure:
    """A number and what it counts."""

    name: str
    value: str


@frozen
class PageLine:
    """What was found at one address."""

    url: str
    title: str
    language: str
    words: str
    links: str
    #: Why there is nothing; empty where there is something.
    error: str


@frozen
class Report:
    """The result of a run."""

    figures: list[Figure]
    pages: list[PageLine]


def result_page(run: FlowRun) -> dict[str, Any]:
    """What ``result.html`` shows: the report of a run that has completed, the error of one that has failed."""
    if run.status is not RunStatus.COMPLETED:
        return {"run": run, "report": None}
    pages, summary = run.step(analyze_site).result(), run.step(summarize).result()
    return {"run": run, "report": Report(_figures(summary), [_page_line(page) for page in pages])}


def as_json(run: FlowRun) -> dict[str, Any]:
    """The same for programs."""
    return {
        "run_id": str(run.run_id),
        "status": run.status,
        "output": run.output,
        "error_message": run.error_message,
    }


@frozen
class RetryLine:
    """A task that did not succeed at once."""

    #: ``queued``, ``started``, ``completed``, ``failed``, ``cancelled`` or ``gave-up``.
    state: str
    said: str
    subject: str
    reason: str


def retries_page(connection: psycopg.Connection[Any], run_id: UUID) -> dict[str, Any]:
    """What ``retries.html`` shows. Retries are no events: they are in the tables, which anyone may query."""
    return {"retries": [_retry_line(retry) for retry in read_retries(connection, run_id)]}


def _figures(summary: Summary) -> list[Figure]:
    return [
        Figure("Pages", f"{summary.sites_analyzed:,}"),
        Figure("Unreadable", f"{summary.unreadable:,}"),
        Figure("Words", f"{summary.total_words:,}"),
        Figure("Links", f"{summary.total_links:,}"),
        Figure("Languages", f"{len(summary.languages.keys() - {'?'}):,}"),
    ]


def _page_line(page: Page) -> PageLine:
    title = page.title or ("" if page.error else "(no title)")
    return PageLine(page.url, title, page.language or "", f"{page.words:,}", f"{page.links:,}", page.error or "")


def _retry_line(retry: Retry) -> RetryLine:
    state = "gave-up" if retry.gave_up else retry.status
    said = {
        "queued": f"Attempt {retry.attempts} failed, trying again soon",
        "started": f"Attempt {retry.attempts}",
        "completed": f"Attempt {retry.attempts} succeeded",
        "failed": f"Attempt {retry.attempts} failed",
        "cancelled": "Cancelled",
        "gave-up": f"Gave up after {retry.attempts} attempts",
    }[state]
    return RetryLine(state, said, retry.subject, "" if state == "completed" else retry.error_message or "")
