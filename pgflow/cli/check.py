"""``pgflow check``: what is wrong with a database, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pgflow.cli import dsn_option, listen_dsn_option
from pgflow.cli._durations import Seconds
from pgflow.graph.wording import printable

if TYPE_CHECKING:
    from pgflow.inspection.health import Finding

__all__ = ["check"]

_COLORS = {"ok": "green", "notice": "yellow", "problem": "red"}


@click.command()
@click.argument("targets", metavar="[MODULE[:FLOW]]...", nargs=-1)
@dsn_option
@listen_dsn_option
@click.option(
    "--old",
    type=Seconds(min=0),
    default=300.0,
    show_default=True,
    help="Seconds after which an open transaction is a problem.",
)
@click.option("--quick", is_flag=True, help="Leave out the invariants, for which every run is read.")
@click.option("--json", "is_json", is_flag=True, help="Print the findings as JSON, one a line.")
@click.pass_context
def check(
    ctx: click.Context,
    targets: tuple[str, ...],
    dsn: str | None,
    listen_dsn: str | None,
    old: float,
    quick: bool,
    is_json: bool,
) -> None:
    """Examine a database, and say what to do about each finding.

    Looked at are the version of the server, the revision of the schema, pgmq and the queues, what the roles may do,
    whether LISTEN delivers, old transactions, and whether what is stored contradicts itself. Of flows that are named,
    as for pgflow worker, the shape is compared with the database's.

    Nothing is changed. The exit status is 1 if there is a problem.
    """
    from pgflow.cli._json import as_json
    from pgflow.cli._loading import load_flows
    from pgflow.inspection.health import Level, examine

    flows = load_flows(targets)
    problems = 0
    for finding in examine(dsn, flows, listen_dsn=listen_dsn, oldest_transaction=old, thorough=not quick):
        problems += finding.level is Level.PROBLEM
        if is_json:
            fields = ("subject", "level", "message", "advice")
            click.echo(as_json({name: getattr(finding, name) for name in fields}))
        else:
            _print(finding)
    ctx.exit(1 if problems else 0)


def _print(finding: Finding) -> None:
    level = click.style(f"{finding.level:<8}", fg=_COLORS[finding.level])
    click.echo(f"{level} {finding.subject:<13} {printable(finding.message)}")
    if finding.advice:
        click.echo(f"{'':<22} → {printable(finding.advice)}")
