"""``pgflow runs``: the newest runs as a list."""

from __future__ import annotations

import attrs
import click

from pgflow.cli import dsn_option
from pgflow.cli._durations import seconds_of

__all__ = ["runs"]


@click.command()
@dsn_option
@click.option("--flow", metavar="FLOW", help="Only runs of this flow.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["started", "completed", "failed"]),
    help="Only runs in this state; may be given twice.",
)
@click.option("--since", metavar="DURATION", callback=seconds_of, help="Only runs started within 90s, 15m, 2h, 7d.")
@click.option("--before", metavar="DURATION", callback=seconds_of, help="Only runs started longer ago than that.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many runs at the most.")
@click.option("--json", "is_json", is_flag=True, help="One JSON object a line.")
def runs(
    dsn: str | None,
    flow: str | None,
    statuses: tuple[str, ...],
    since: float | None,
    before: float | None,
    limit: int,
    is_json: bool,
) -> None:
    """List runs, the newest first.

    Newest means by run id, which begins with the time unless the caller chose it. Where few runs fit the filters, the
    whole history may have to be read to find them.
    """
    from pgflow import inspection
    from pgflow.cli._json import as_json
    from pgflow.cli._reading import reading

    with reading(dsn) as connection:
        found = inspection.runs(connection, flow_slug=flow, statuses=statuses, younger=since, older=before, limit=limit)
    if is_json:
        for run in found:
            click.echo(as_json(attrs.asdict(run)))
        return

    from pgflow.cli._listing import print_runs

    print_runs(found)
