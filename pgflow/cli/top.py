"""``pgflow top``: queues, workers and throughput, again and again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import attrs
import click
from attrs.filters import exclude

from pgflow.cli import dsn_option
from pgflow.cli._durations import Seconds

if TYPE_CHECKING:
    from pgflow.cli._fleet import Reading
    from pgflow.engine.pool import Connection

__all__ = ["top"]


@click.command()
@dsn_option
@click.option(
    "--every",
    type=Seconds(min=0.2, max=3_600),
    default=2.0,
    show_default=True,
    help="Seconds from one reading to the next.",
)
@click.option("--once", is_flag=True, help="Read twice, print that, and end; so it does without a terminal.")
@click.option("--json", "is_json", is_flag=True, help="One JSON document, and the end.")
def top(dsn: str | None, every: float, once: bool, is_json: bool) -> None:
    """Show the queues, the workers and what they do, until Ctrl-C.

    READY messages wait for a worker; the WAITING ones are in work, or delayed until another attempt is due. TASKS/S is
    what left the queue between the last two readings. The other columns count the newest 10,000 runs of the database:
    those that started, completed and failed within a minute.
    """
    from pgflow.cli._fleet import read_fleet
    from pgflow.cli._json import as_json
    from pgflow.cli._reading import reading

    with reading(dsn) as connection:
        before = read_fleet(connection)
        if not is_json and not once and _is_terminal():
            _show(connection, before, every)
            return
        time.sleep(min(every, 1.0))
        now = read_fleet(connection)
    if is_json:
        click.echo(
            as_json(attrs.asdict(now, filter=exclude("read_at")) | {"tasks_per_second": now.rates_since(before)})
        )
        return

    from pgflow.cli._fleet_page import page
    from pgflow.graph.console import open_console

    open_console().print(page(now, before))


def _is_terminal() -> bool:
    from pgflow.graph.console import open_console

    return open_console().is_interactive


def _show(connection: Connection, before: Reading, every: float) -> None:
    from rich.live import Live

    from pgflow.cli._fleet import read_fleet
    from pgflow.cli._fleet_page import page
    from pgflow.graph.console import open_console

    last = before
    try:
        with Live(page(last, None), console=open_console(), screen=True, auto_refresh=False) as live:
            while True:
                live.refresh()
                time.sleep(every)
                now = read_fleet(connection)
                live.update(page(now, last))
                last = now
    except KeyboardInterrupt:
        return
