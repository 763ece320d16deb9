"""``pgflow watch``: a run as it goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import click

from pgflow.cli import dsn_option
from pgflow.cli._arguments import run_argument

if TYPE_CHECKING:
    from pgflow.client import FlowRun
    from pgflow.engine.pool import Connection
    from pgflow.graph.progress import Progress

__all__ = ["watch"]


@click.command()
@run_argument
@dsn_option
@click.option("--json", "is_json", is_flag=True, help="Print the events, one JSON object a line.")
@click.pass_context
def watch(ctx: click.Context, run_id: UUID, dsn: str | None, is_json: bool) -> None:
    """Watch a run until it ends: its steps and their states, a bar for each fan-out, and what had to be tried again.

    Without a terminal it prints a line for each change. The exit status is 0 if the run completed and 1 if it failed;
    130 after Ctrl-C, which leaves the run alone.
    """
    from pgflow.client import FlowClient

    with FlowClient(dsn, pool_size=2) as client:
        ctx.exit(_follow(client.get_run(run_id), dsn, is_json=is_json))


def _follow(run: FlowRun, dsn: str | None, *, is_json: bool) -> int:
    """Show a run on standard output until it ends, and return the exit status that tells how."""
    try:
        if is_json:
            _print_events(run)
        else:
            _show(run, dsn)
    except KeyboardInterrupt:
        click.echo(f"run {run.run_id} goes on: pgflow watch {run.run_id}", err=True)
        return 130
    return 0 if run.status == "completed" else 1


def _print_events(run: FlowRun) -> None:
    from pgflow.cli._events import event_document

    with closing(run.events()) as events:
        for event in events:
            click.echo(event_document(event))


def _show(run: FlowRun, dsn: str | None) -> None:
    import psycopg

    from pgflow.client.progress import follow, progress_of
    from pgflow.dsn import resolve
    from pgflow.engine.pool import connect
    from pgflow.graph.progress import open_view

    view = open_view()
    with connect(resolve(dsn), name="pgflow watch", prepare_threshold=5) as connection:
        # Who may read no tables, or has lost the connection for that, is shown no attempts.
        readers = [progress_of(run), _reader(connection, run.run_id)]

        def read() -> Progress:
            if len(readers) > 1:
                try:
                    return readers[-1]()
                except (psycopg.errors.InsufficientPrivilege, psycopg.OperationalError):
                    readers.pop()
            return readers[0]()

        follow(run, view, read)


def _reader(connection: Connection, run_id: UUID) -> Callable[[], Progress]:
    from pgflow import inspection
    from pgflow.graph.progress import Progress, Trouble
    from pgflow.inspection.rows import graph_of

    def read() -> Progress:
        # What is read first is not newer than the rest: a run that has ended is shown with its last states.
        run = inspection.run_detail(connection, run_id, longest=0)
        steps = inspection.run_steps(connection, run_id)
        troubles = [
            Trouble(task.step_slug, task.task_index, task.status, task.attempts, task.max_attempts, task.error_message)
            for task in inspection.run_tasks(connection, run_id, troubled=True, limit=10)
        ]
        return Progress(run_id, run.status, run.seconds, run.error_message, graph_of(run.flow_slug, steps), troubles)

    return read
