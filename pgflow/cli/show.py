"""``pgflow show``: one run, with its steps, tasks, attempts and errors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import attrs
import click

from pgflow.cli import dsn_option
from pgflow.cli._arguments import run_argument

__all__ = ["show"]

_LONGEST = 500


@click.command()
@run_argument
@dsn_option
@click.option("--tasks", type=click.IntRange(min=0), default=10, show_default=True, help="How many tasks of each step.")
@click.option("--full", is_flag=True, help="Input, outputs and tracebacks as a whole.")
@click.option("--mermaid", "is_mermaid", is_flag=True, help="Print the graph in the language of Mermaid instead.")
@click.option("--svg", "is_svg", is_flag=True, help="Print the graph as an SVG picture instead.")
@click.option("--json", "is_json", is_flag=True, help="One JSON document, with all tasks and whole values.")
def show(run_id: UUID, dsn: str | None, tasks: int, full: bool, is_mermaid: bool, is_svg: bool, is_json: bool) -> None:
    """Show a run: its steps, tasks, attempts, errors, times, input and output.

    Of the tasks come first those that failed, then those that run or had to be tried again.
    """
    from pgflow import inspection
    from pgflow.cli._json import as_json
    from pgflow.cli._reading import reading
    from pgflow.inspection.rows import graph_of

    longest = None if full or is_json else _LONGEST
    with reading(dsn) as connection:
        run = inspection.run_detail(connection, run_id, longest=longest)
        steps = inspection.run_steps(connection, run_id, longest=longest)
        found = inspection.run_tasks(connection, run_id, limit=None if is_json else tasks)
    if is_mermaid or is_svg:
        from pgflow.cli._pictures import echo_picture

        echo_picture(graph_of(run.flow_slug, steps), is_svg=is_svg)
    elif is_json:
        document = _with_values(attrs.asdict(run))
        document["steps"] = [_with_values(attrs.asdict(step)) for step in steps]
        document["tasks"] = [attrs.asdict(task) for task in found]
        click.echo(as_json(document))
    else:
        from pgflow.cli._run_page import print_run

        print_run(run, steps, found, full=full)


def _with_values(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose values are JSON, and no longer JSON text."""
    from pgflow.engine.rows import load_json

    return {
        name: load_json(value) if name in ("input", "output") and value is not None else value
        for name, value in row.items()
    }
