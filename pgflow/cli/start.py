"""``pgflow start``: a run from the command line, and its result if that is wanted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from pgflow.cli import dsn_option
from pgflow.cli._durations import Seconds
from pgflow.cli._json import as_json
from pgflow.cli._nobody import hinting_at_missing_workers

if TYPE_CHECKING:
    from pgflow.client import FlowRun

__all__ = ["start"]


@click.command()
@click.argument("flow")
@click.argument("input", required=False)
@dsn_option
@click.option("--key", metavar="KEY", help="Idempotency key: the same key again finds the run that there is.")
@click.option("--wait", is_flag=True, help="Wait for the run's end and print its output.")
@click.option("--follow", is_flag=True, help="Print what happens to it meanwhile as well.")
@click.option("--timeout", type=Seconds(min=0), help="Seconds to wait at most; the run itself goes on.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON: the run, or with --follow its events, one a line.")
def start(
    flow: str,
    input: str | None,
    dsn: str | None,
    key: str | None,
    wait: bool,
    follow: bool,
    timeout: float | None,
    is_json: bool,
) -> None:
    """Start a run of FLOW, a slug, and print its id.

    INPUT is JSON, @FILE for a file of it, or - for standard input; without it the input is null. What begins with a
    minus comes after --, as in: pgflow start double -- -5

    With --wait or --follow the output is printed in the end, {leaf step: its output}, and the exit status is 1 if the
    run has failed. Standard output has the id or the output and nothing else, so that it can be piped; all else is on
    standard error.
    """
    if timeout is not None and not (wait or follow):
        raise click.UsageError("--timeout is for --wait or --follow")
    value = _read(input)
    from pgflow.client import FlowClient

    with FlowClient(dsn) as client:
        run = client.start(flow, value, idempotency_key=key)
        if wait or follow:
            with hinting_at_missing_workers(dsn, flow):
                _attend(run, timeout, follow=follow, is_json=is_json)
        else:
            click.echo(_as_document(run) if is_json else str(run.run_id))


def _read(given: str | None) -> Any:
    """The input that is meant, from wherever it is."""
    if given is None:
        return None
    where = "INPUT"
    if given == "-":
        given, where = sys.stdin.read(), "standard input"
    elif given.startswith("@"):
        where = given[1:]
        try:
            with open(where, encoding="utf-8") as file:
                given = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{where} cannot be read: {error}") from error
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        hint = f"; a string takes quotes: {_quoted(given)}" if where == "INPUT" else ""
        raise click.ClickException(f"{where} is no JSON: {error}{hint}") from error


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(json.dumps(text if len(text) <= 40 else f"{text[:39]}…", ensure_ascii=False))


def _attend(run: FlowRun, timeout: float | None, *, follow: bool, is_json: bool) -> None:
    """Wait for the end, and print the output."""
    try:
        if follow:
            _follow(run, timeout, is_json=is_json)
        else:
            click.echo(f"run {run.run_id}", err=True)
            run.wait(timeout)
    except KeyboardInterrupt:
        raise click.ClickException(f"run {run.run_id} is no longer waited for; it goes on") from None
    if is_json and not follow:
        click.echo(_as_document(run))
    output = run.result()
    if not is_json:
        click.echo(json.dumps(output, ensure_ascii=False, indent=2))


def _follow(run: FlowRun, timeout: float | None, *, is_json: bool) -> None:
    from pgflow.cli._events import event_document, event_line

    for event in run.events(timeout):
        if is_json:
            click.echo(event_document(event))
        else:
            click.echo(event_line(event, run.started_at), err=True)


def _as_document(run: FlowRun) -> str:
    names = ("run_id", "flow_slug", "status", "output", "error_message", "started_at", "completed_at", "failed_at")
    return as_json({name: getattr(run, name) for name in names})
