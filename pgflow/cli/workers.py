"""``pgflow workers``: who works, who died, and what they are busy with."""

from __future__ import annotations

import attrs
import click

from pgflow.cli import dsn_option

__all__ = ["workers"]


@click.command()
@dsn_option
@click.option("--all", "is_all", is_flag=True, help="Those too that stopped in order within the last week.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object a line.")
def workers(dsn: str | None, is_all: bool, is_json: bool) -> None:
    """List the workers, and what they are busy with.

    A worker that has not been heard of for 30 seconds is dead; others take over what it held as its leases end.
    """
    from pgflow import inspection
    from pgflow.cli._json import as_json
    from pgflow.cli._reading import reading

    with reading(dsn) as connection:
        found = [one for one in inspection.workers(connection) if is_all or one.status != "stopped"]
        steps = inspection.running_steps(connection)
    if is_json:
        for worker in found:
            busy = [attrs.asdict(step) for step in steps if step.worker_id == worker.worker_id]
            click.echo(as_json({**attrs.asdict(worker), "busy_with": busy}))
        return

    from pgflow.cli._listing import print_workers

    print_workers(found, steps)
