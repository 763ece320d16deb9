"""Many browsers at once, each with a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from tests.browser.web_server import WebServer, page_of_run
from tests.plugins.browser import open_stream

T = TypeVar("T")

PATIENCE = 60.0

WHOLE_STORY = ["run:started", *["step:started", "step:completed"] * 3, "run:completed", "end"]


@contextmanager
def each(runs: list[UUID], call: Callable[[UUID], T]) -> Iterator[list[Future[T]]]:
    """Make a call for each run, all at the same time."""
    executor = ThreadPoolExecutor(len(runs))
    try:
        yield [executor.submit(call, run_id) for run_id in runs]
    finally:
        # Where the block fails, the calls end after it, when the runs do.
        executor.shutdown(wait=False)


def blocking(web: WebServer) -> Callable[[UUID], str]:
    """Waits for the result of a run; returns the address that it has in it."""

    def wait(run_id: UUID) -> str:
        answer = web.get(page_of_run(run_id, "result"), accept="application/json")
        assert answer.status_code == 200, answer.text
        longest: str = answer.json()["output"]["summarize"]["longest"]
        return longest

    return wait


def streaming(web: WebServer) -> Callable[[UUID], str]:
    """Follows a run to its end, through all that has to happen in it; returns the address in its result."""

    def follow(run_id: UUID) -> str:
        with open_stream(web.url + page_of_run(run_id, "events")) as stream:
            frames = [frame for frame in stream.until("end") if frame.event != "step:progress"]
        assert [frame.event for frame in frames] == WHOLE_STORY
        longest: str = frames[-2].data["output"]["summarize"]["longest"]
        return longest

    return follow
