"""What the demo shows while a run is under way, on a terminal and in a pipe."""

from __future__ import annotations

import io

from rich.console import Console

from websites.progress import Retry, StepProgress, open_view

PREPARED = StepProgress("prepare-urls", False, "completed", tasks=1, done=1, seconds=0.2)
WAITING = StepProgress("summarize", False, "created", tasks=1, done=None, seconds=None)
FAILED_ONCE = Retry("analyze-site", "http://a/b", "queued", 1, "SiteTroubleError: answered 500")


def fanout(done: int, tasks: int = 100) -> StepProgress:
    status = "completed" if done == tasks else "started"
    return StepProgress("analyze-site", True, status, tasks=tasks, done=done, seconds=1.5)


def console(*, terminal: bool) -> Console:
    return Console(
        file=io.StringIO(), force_terminal=terminal, width=100, color_system="standard" if terminal else None
    )


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_pipe_gets_one_plain_line_for_each_change() -> None:
    pipe = console(terminal=False)
    with open_view(pipe) as view:
        for _ in range(3):
            view.show([PREPARED, fanout(0), WAITING], [])
    assert written(pipe).splitlines() == [
        "✓ prepare-urls: completed after 0.2 s",
        "> analyze-site: 0 of 100 tasks, running for 1.5 s",
    ]


def test_a_pipe_gets_few_lines_however_many_tasks_there_are() -> None:
    pipe = console(terminal=False)
    with open_view(pipe) as view:
        for done in range(101):
            view.show([fanout(done)], [])
    assert [line.split(",")[0] for line in written(pipe).splitlines()] == [
        "> analyze-site: 0 of 100 tasks",
        "> analyze-site: 25 of 100 tasks",
        "> analyze-site: 50 of 100 tasks",
        "> analyze-site: 75 of 100 tasks",
        "✓ analyze-site: 100 of 100 tasks",
    ]


def test_a_pipe_hears_of_a_retry_and_of_its_success() -> None:
    pipe = console(terminal=False)
    with open_view(pipe) as view:
        view.show([fanout(99)], [FAILED_ONCE])
        view.show([fanout(99)], [Retry("analyze-site", "http://a/b", "started", 2, None)])
        view.show([fanout(100)], [Retry("analyze-site", "http://a/b", "completed", 2, None)])
    retries = [line.strip() for line in written(pipe).splitlines() if "retry" in line]
    assert retries == [
        "retry http://a/b: attempt 1 failed, trying again soon: SiteTroubleError: answered 500",
        "retry http://a/b: attempt 2 succeeded",
    ]


def test_a_long_line_in_a_pipe_is_not_broken() -> None:
    pipe = console(terminal=False)
    with open_view(pipe) as view:
        view.show([], [Retry("analyze-site", "http://a/" + "b" * 300, "completed", 2, None)])
    assert len(written(pipe).splitlines()) == 1


def test_a_terminal_sees_every_step_with_a_bar_for_the_fanout() -> None:
    screen = console(terminal=True)
    with open_view(screen) as view:
        view.show([PREPARED, fanout(40), WAITING], [FAILED_ONCE])
    shown = written(screen)
    for expected in ("prepare-urls", "40 of 100 tasks", "━", "summarize", "waiting", "↻ http://a/b: attempt 1 failed"):
        assert expected in shown


def test_an_address_cannot_style_the_screen() -> None:
    screen = console(terminal=True)
    with open_view(screen) as view:
        view.show([], [Retry("analyze-site", "http://a/[bold red]b[/]", "started", 2, None)])
    assert "[bold red]b[/]" in written(screen)


def test_a_run_that_failed_shows_what_was_cancelled() -> None:
    pipe = console(terminal=False)
    with open_view(pipe) as view:
        failed = StepProgress("prepare-urls", False, "failed", tasks=1, done=0, seconds=0.3)
        cancelled = StepProgress("summarize", False, "cancelled", tasks=1, done=None, seconds=None)
        view.show([failed, cancelled], [])
    assert written(pipe).splitlines() == ["✗ prepare-urls: failed after 0.3 s", "- summarize: cancelled"]
