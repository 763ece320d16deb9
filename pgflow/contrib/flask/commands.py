"""``flask pgflow``: the commands of ``pgflow`` for the application's database and in its context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask import current_app
from flask.cli import ScriptInfo, with_appcontext

from pgflow.cli import OneLineErrors
from pgflow.cli.migrate import migrate as pgflow_migrate
from pgflow.cli.worker import worker as pgflow_worker
from pgflow.contrib.flask import settings
from pgflow.errors import SettingsError

__all__ = ["pgflow"]


@click.group(cls=OneLineErrors)
def pgflow() -> None:
    """Durable workflows in PostgreSQL."""


def _options(command: click.Command) -> Callable[[Any], Any]:
    """The options of a command of ``pgflow`` but for those of the database, which the configuration is for."""

    def add(function: Any) -> Any:
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name not in ("dsn", "listen_dsn"):
                function.params.append(parameter)
        return function

    return add


@_options(pgflow_migrate)
@pgflow.command(help=pgflow_migrate.help)
@with_appcontext
def migrate(**options: Any) -> None:
    """Install the schema, or take it to another revision."""
    dsn = None if options["sql"] else settings.read(current_app.config).dsn
    pgflow_migrate.callback(dsn=dsn, **options)  # type: ignore[misc]


@_options(pgflow_worker)
@pgflow.command()
@click.argument("targets", metavar="[MODULE[:FLOW]]...", nargs=-1)
@with_appcontext
def worker(
    targets: tuple[str, ...], concurrency: int, processes: bool, lease: float, grace: float, log_level: str
) -> None:
    """Work on the tasks of flows until SIGTERM or SIGINT.

    The flows are those that the configuration lists as PGFLOW_FLOWS, unless some are named here: MODULE or MODULE:FLOW.
    Flows that the database does not know are defined.

    Each handler runs in a context of the application; with --processes every process loads the application.

    The exit status is 0 if everything begun was finished, 3 if some of it was handed back to others, and 130 or 143
    after a second signal, which is obeyed at once.
    """
    from pgflow.cli._loading import load_flows
    from pgflow.cli._serving import log_to_stderr, serve
    from pgflow.contrib.flask.executors import AppProcesses, AppThreads
    from pgflow.worker import Worker

    given = settings.read(current_app.config)
    log_to_stderr(log_level)
    flows = load_flows(targets or given.flows)
    if not flows:
        raise SettingsError("there is no flow to work on: list some as PGFLOW_FLOWS in the configuration, or name them")
    info = click.get_current_context().ensure_object(ScriptInfo)
    executor = AppProcesses(concurrency, info, log_level) if processes else AppThreads(concurrency, info.load_app())
    serving = Worker(
        flows, given.dsn, listen_dsn=given.listen_dsn, concurrency=concurrency, lease=lease, executor=executor
    )
    try:
        serve(serving, grace=grace)
    finally:
        executor.shutdown()
