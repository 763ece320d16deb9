"""What a view shows of a run, on a terminal and elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from uuid import UUID

from rich.console import Console

from pgflow.graph.lines import LineView
from pgflow.graph.moving import MovingView
from pgflow.graph.progress import Progress, Trouble
from pgflow.models import RunStatus, StepStatus
from tests.unit.graph.graphs import graph

RUN = UUID(int=7)


def progress(done: int = 0, troubles: Sequence[Trouble] = (), error: str | None = None) -> Progress:
    status = StepStatus.COMPLETED if done == 100 else StepStatus.STARTED
    return Progress(
        RUN,
        RunStatus.FAILED if error else RunStatus.STARTED,
        61,
        error,
        graph(
            {"list": [], "each": ["list"]},
            list={"status": StepStatus.COMPLETED, "seconds": 0.2},
            each={"status": status, "is_fanout": True, "tasks": 100, "done": done, "seconds": 1.5},
        ),
        troubles,
    )


def screen(*, height: int = 24, width: int = 100) -> Console:
    return Console(file=StringIO(), force_terminal=True, color_system=None, height=height, width=width)


def written(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def last_picture(console: Console, shown: Progress) -> list[str]:
    with MovingView(console) as view:
        view.show(shown)
    console.file = StringIO()
    console.print(view._drawn(shown))
    return written(console).splitlines()


def test_lines_tell_each_quarter_of_a_fanout_once() -> None:
    pipe = Console(file=StringIO(), width=200)
    with LineView(pipe) as view:
        for done in range(101):
            view.show(progress(done))

    assert [line.partition(",")[0] for line in written(pipe).splitlines()] == [
        f"run {RUN} of flow",
        "✓ list  200 ms",
        *(f"▶ each  {done} of 100 tasks" for done in (0, 25, 50, 75)),
        "✓ each  100 of 100 tasks",
    ]


def test_a_picture_has_a_head_the_steps_and_what_went_wrong() -> None:
    trouble = Trouble("each", 3, "queued", 1, 3, "answered\n503 \x1b[31m[bold]")

    lines = last_picture(screen(), progress(40, [trouble], error="it broke"))
    assert lines[0] == f"flow {RUN}  ✗ failed  1 min 1 s"
    assert lines[2].startswith("▶  each")
    assert lines[2].rstrip().endswith("40 of 100 tasks, 1.5 s")
    assert lines[3:] == [
        "  ↻ each[3]: attempt 1 of 3 failed, trying again soon: answered 503 \\x1b[31m[bold]",
        "it broke",
    ]


def test_of_many_troubles_the_last_are_shown() -> None:
    troubles = [Trouble("each", number, "started", 2, 3, None) for number in range(8)]

    lines = last_picture(screen(), progress(40, troubles))
    assert [line.split(":")[0] for line in lines[3:]] == [
        *(f"  ↻ each[{number}]" for number in range(3, 8)),
        "  and other tasks with failed attempts",
    ]


def test_a_graph_that_is_higher_than_the_terminal_is_shown_where_it_is_not_done() -> None:
    slugs = [f"s{number}" for number in range(50)]
    states = {
        slug: {"status": StepStatus.COMPLETED if number < 30 else StepStatus.CREATED}
        for number, slug in enumerate(slugs)
    }
    steps = {slug: [] if number == 0 else [slugs[number - 1]] for number, slug in enumerate(slugs)}

    lines = last_picture(screen(height=12), Progress(RUN, RunStatus.STARTED, 1, None, graph(steps, **states)))
    assert len(lines) < 12
    assert lines[1] == "  … 28 steps above"
    assert [line.split()[1] for line in lines[2:-1]] == slugs[28:36]
    assert lines[-1] == "  … 14 steps below"


def test_a_narrow_terminal_cuts_lines_and_breaks_none() -> None:
    trouble = Trouble("each", 3, "queued", 1, 3, "x" * 500)

    assert len(last_picture(screen(width=40), progress(40, [trouble]))) == 4
