"""``pgflow compile``: flows as SQL, for those who define them by script or by a revision of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from pgflow.dsl import Flow

__all__ = ["compile"]


@click.command()
@click.argument("targets", metavar="MODULE[:FLOW]...", nargs=-1, required=True)
@click.option("--alembic", "as_revision", is_flag=True, help="Write a revision into your Alembic project instead.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="That project's alembic.ini or pyproject.toml; by default the one in the current directory.",
)
@click.option("--message", "-m", help="The revision's message; by default it names the flows.")
@click.option("--head", help="The revision to follow, where there are several heads.")
def compile(  # noqa: A001  the command's own name
    targets: tuple[str, ...], as_revision: bool, config: Path | None, message: str | None, head: str | None
) -> None:
    """Print the SQL that defines flows, or write it into a revision.

    MODULE and FLOW are as for pgflow worker. No database is needed. The statements define what is missing and leave
    what is there, also what the flow no longer has; a step of another type or with other dependencies is refused when
    they are run.

    A revision's downgrade deletes the flows, and with them their runs. The schema itself has to be there before: see
    pgflow migrate.
    """
    if not as_revision and (config is not None or message is not None or head is not None):
        raise click.UsageError("--config, --message and --head are for --alembic")
    from pgflow.cli._loading import load_flows
    from pgflow.dsl import compile_flow

    flows = load_flows(targets)
    if as_revision:
        click.echo(_write_revision(flows, config or _found_config(), message, head))
    else:
        for flow in flows:
            click.echo("\n".join(compile_flow(flow)))


def _found_config() -> Path:
    for name in ("alembic.ini", "pyproject.toml"):
        if Path(name).is_file():
            return Path(name)
    raise click.ClickException("there is no alembic.ini and no pyproject.toml here: name one with --config")


def _write_revision(flows: list[Flow[Any]], path: Path, message: str | None, head: str | None) -> str:
    """Write a revision by the project's own template, and return its path."""
    from argparse import Namespace

    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import rev_id

    from pgflow.dsl import compile_flow

    if not path.is_file():
        raise click.ClickException(f"there is no file {path}: name that of your Alembic project with --config")
    # Standard output is for the path of what is written.
    quiet = Namespace(quiet=True)
    is_toml = path.name == "pyproject.toml"
    config = Config(toml_file=path, cmd_opts=quiet) if is_toml else Config(path, cmd_opts=quiet)
    upgrades = [statement for flow in flows for statement in compile_flow(flow)]
    downgrades = [f"select pgflow.delete_flow('{flow.slug}');" for flow in reversed(flows)]
    scripts = ScriptDirectory.from_config(config)
    _refuse_a_second(flows, scripts)
    script = scripts.generate_revision(
        rev_id(),
        message or f"define flow {', '.join(flow.slug for flow in flows)}",
        head=head,
        # Some templates ask the configuration for more.
        config=config,
        upgrades=_calls(upgrades),
        downgrades=_calls(downgrades),
    )
    if script is None:
        raise click.ClickException(f"Alembic wrote no revision for {path}")
    written = Path(script.path)
    if "pgflow.create_flow" not in written.read_text(encoding="utf-8"):
        written.unlink()
        raise click.ClickException(
            "the project's script.py.mako has no place for upgrades: put the statements of `pgflow compile` into a "
            "revision yourself"
        )
    return str(written)


def _refuse_a_second(flows: list[Flow[Any]], scripts: ScriptDirectory) -> None:
    """Write no revision of a flow that has one: going down from the second would delete what the first defined."""
    for script in scripts.walk_revisions():
        text = Path(script.path).read_text(encoding="utf-8")
        for flow in flows:
            if f"pgflow.create_flow(flow_slug => '{flow.slug}'" in text:
                raise click.ClickException(
                    f"revision {script.revision} defines flow {flow.slug} already: for what has changed since, write a "
                    "revision yourself, with statements of `pgflow compile`"
                )


def _calls(statements: list[str]) -> str:
    """The lines of a revision's function, as the template's indentation continues them."""
    return "\n    ".join(f"op.execute({statement.removesuffix(';')!r})" for statement in statements)
