"""``pgflow worker``: a worker as a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pgflow.cli import dsn_option, listen_dsn_option, log_level_option
from pgflow.cli._durations import Seconds

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["worker"]

#: Seconds.
_LONGEST = 86_400


@click.command()
@click.argument("targets", metavar="MODULE[:FLOW]...", nargs=-1, required=True)
@dsn_option
@listen_dsn_option
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=10, show_default=True, help="Handlers that run at a time."
)
@click.option("--processes", is_flag=True, help="Run handlers in processes instead of threads.")
@click.option(
    "--lease",
    type=Seconds(min=0, min_open=True, max=_LONGEST),
    default=30.0,
    show_default=True,
    help="Seconds after which others take over what a dead worker held.",
)
@click.option(
    "--grace",
    type=Seconds(min=0, max=_LONGEST),
    default=30.0,
    show_default=True,
    help="Seconds for running handlers to finish after SIGTERM or SIGINT.",
)
@log_level_option
def worker(
    targets: tuple[str, ...],
    dsn: str | None,
    listen_dsn: str | None,
    concurrency: int,
    processes: bool,
    lease: float,
    grace: float,
    log_level: str,
) -> None:
    """Work on the tasks of flows until SIGTERM or SIGINT.

    MODULE is a module's name, the current directory included, or the path of a .py file; without FLOW, a variable or
    slug, every flow in it is served. Flows that the database does not know are defined.

    With --processes handlers use several processors at a time, one that crashes takes nothing with it, and one whose
    time is up is killed.

    The exit status is 0 if everything begun was finished, 3 if some of it was handed back to others, and 130 or 143
    after a second signal, which is obeyed at once.
    """
    from pgflow.cli._loading import load_flows
    from pgflow.cli._serving import log_to_stderr, serve
    from pgflow.worker import Worker

    log_to_stderr(log_level)
    executor = _process_pool(concurrency, log_level) if processes else None
    serving = Worker(
        load_flows(targets), dsn, listen_dsn=listen_dsn, concurrency=concurrency, lease=lease, executor=executor
    )
    serve(serving, grace=grace)


def _process_pool(size: int, log_level: str) -> Executor:
    """Return how the processes of handlers are to be made.

    They are spawned: a fork would copy locks that threads of the worker hold, and a fork server is one more process
    whose death would take the others with it.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    from pgflow.cli._serving import log_to_stderr

    return ProcessPoolExecutor(
        size, multiprocessing.get_context("spawn"), initializer=log_to_stderr, initargs=(log_level,)
    )
