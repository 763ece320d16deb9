"""What several commands take."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

__all__ = ["run_argument"]


def run_argument(command: Any) -> Any:
    """The argument RUN, which becomes ``run_id``."""
    return click.argument("run_id", metavar="RUN", callback=_run_id)(command)


def _run_id(ctx: click.Context, parameter: click.Parameter, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no run id: a run id is a UUID; `pgflow runs` lists them") from None
