"""The command ``pgflow``: a group whose subcommands are imported when they are asked for."""

from __future__ import annotations

import importlib
import sys
from io import TextIOWrapper
from typing import Any

import click

__all__ = ["OneLineErrors", "dsn_option", "listen_dsn_option", "log_level_option", "main", "no_empty_text"]

#: Command, and what ``pgflow --help`` says of it: to know that, nothing needs importing.
_COMMANDS = {
    "dev": "Run a PostgreSQL, and a worker that reloads changed code.",
    "migrate": "Install the schema, or take it to another revision.",
    "check": "Examine a database, and say what to do about each finding.",
    "compile": "Print the SQL that defines flows, or write an Alembic revision of it.",
    "start": "Start a run of a flow, and wait for it if you like.",
    "worker": "Work on the tasks of flows.",
    "flows": "List flows, or draw one.",
    "runs": "List runs, the newest first.",
    "show": "Show a run: its steps, tasks, attempts and errors.",
    "top": "Show queues, workers and throughput, again and again.",
    "watch": "Watch a run until it ends.",
    "workers": "List the workers, and what they are busy with.",
}


class OneLineErrors(click.Group):
    """A group whose commands say in one line what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; an error of ours or of the database is a message, not a traceback."""
        try:
            return super().invoke(ctx)
        except Exception as exc:
            from pgflow.cli._failures import one_line

            message = one_line(exc)
            if message is None:
                raise
            raise click.ClickException(message) from exc


class _Commands(OneLineErrors):
    """Finds a subcommand in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, without importing any."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"pgflow.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def no_empty_text(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what a variable of the shell leaves that is not set: another database than the one meant is none."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty", ctx, parameter)
    return value


def dsn_option(command: Any) -> Any:
    """The option ``--dsn``, alike for every command; without it `pgflow.dsn` looks at the environment."""
    return click.option(
        "--dsn",
        metavar="DSN",
        callback=no_empty_text,
        help="The database: a URI, key=value pairs, or a SQLAlchemy URL. Default: the environment's PGFLOW_DSN.",
    )(command)


def listen_dsn_option(command: Any) -> Any:
    """The option ``--listen-dsn`` of the commands that listen for long."""
    return click.option(
        "--listen-dsn",
        metavar="DSN",
        envvar="PGFLOW_LISTEN_DSN",
        help="A direct connection for promptness, where the database is behind a pooler. "
        "Default: the environment's PGFLOW_LISTEN_DSN.",
    )(command)


def log_level_option(command: Any) -> Any:
    """The option ``--log-level`` of the commands that run a worker."""
    return click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        default="info",
        show_default=True,
        help="What the worker logs, on standard error.",
    )(command)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pgflow-sdk", prog_name="pgflow")
def main() -> None:
    """Durable workflows in the PostgreSQL you already run."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Pictures and foreign text have more letters than some terminals; standard error spells them out by itself.
        sys.stdout.reconfigure(errors="backslashreplace")
