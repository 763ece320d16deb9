"""Runs of ``analyze-websites`` that a test works on itself, so that it decides how far they have come."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from attrs import define

from pgflow import FlowClient
from tests.plugins.engine import Engine, Task
from websites.flow import Request, flow

FLOW = "analyze-websites"


def page_of(task: Task, title: str | None = None) -> dict[str, Any]:
    """What is found at the address of a task."""
    item = task.input["item"]
    found = {"id": item["id"], "url": item["url"], "title": title or f"Page {item['id']}", "error": None}
    return {**found, "words": 1200, "links": 3, "language": "en"}


def summary_of(task: Task) -> dict[str, Any]:
    """The pages of a run added up."""
    pages = task.input["deps"]["analyze-site"]
    return {
        "sites_analyzed": len(pages),
        "unreadable": sum(page["error"] is not None for page in pages),
        "total_words": sum(page["words"] for page in pages),
        "total_links": sum(page["links"] for page in pages),
        "languages": {"en": len(pages)},
        "longest": pages[0]["url"],
    }


def sites_of(task: Task) -> list[dict[str, Any]]:
    """The addresses of a run, numbered."""
    return [{"id": number, "url": url} for number, url in enumerate(task.input["run"]["urls"], start=1)]


HANDLERS = {"prepare-urls": sites_of, "analyze-site": page_of, "summarize": summary_of}


@define
class Analyses:
    """Starts runs, and works on them."""

    client: FlowClient
    engine: Engine

    def __attrs_post_init__(self) -> None:
        self.client.register(flow)

    def start(self, *urls: str) -> UUID:
        """Start a run."""
        return self.client.start(flow, Request(list(urls or ["https://kelden.example/"]))).run_id

    def start_many(self, count: int) -> list[UUID]:
        """Start as many runs, each with an address of its own."""
        inputs = [Request([f"https://kelden.example/{number}"]) for number in range(count)]
        return [run.run_id for run in self.client.start_many(flow, inputs)]

    def start_with_title(self, title: str) -> UUID:
        """Start a run whose page has a title, and see it to its end."""
        run_id = self.start()
        self.engine.work({**HANDLERS, "analyze-site": lambda task: page_of(task, title)}, flow=FLOW)
        return run_id

    def address(self, run_id: UUID) -> Any:
        """What a run was asked to look at first."""
        return self.client.get_run(run_id).input["urls"][0]

    def claim(self, count: int = 1) -> list[Task]:
        """Take as many tasks, which must be there."""
        tasks = self.engine.poll(count, flow=FLOW, lease=600)
        assert len(tasks) == count
        return tasks

    def prepare(self) -> None:
        """Do the first step of a run, so that its pages can be claimed."""
        (task,) = self.claim()
        self.engine.complete(task, sites_of(task))

    def work(self) -> None:
        """Do all that can be done."""
        self.engine.work(HANDLERS, flow=FLOW)

    def fail_for_now(self, task: Task, error: str) -> Task:
        """Fail an attempt, and take the task again, as its next one."""
        self.engine.fail(task, error, retry_delay=0)
        (again,) = self.claim()
        return again

    def watched(self) -> int:
        """How many runs that are under way somebody watches."""
        count: int = self.engine.value("select count(*) from pgflow.runs where watched and status = 'started'")
        return count

    def sessions(self) -> int:
        """How many sessions clients have in the database, this one's own left out."""
        return self._sessions("pgflow") - 1

    def listeners(self) -> int:
        """How many of them listen."""
        return self._sessions("pgflow listener")

    def _sessions(self, name: str) -> int:
        named = "datname = current_database() and application_name = %s"
        count: int = self.engine.value(f"select count(*) from pg_stat_activity where {named}", name)
        return count
