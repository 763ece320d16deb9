"""What an application's configuration says of pgflow.

- ``PGFLOW_DSN``: the database, in any form that `pgflow.dsn` describes; without it the environment's ``PGFLOW_DSN``.
- ``PGFLOW_LISTEN_DSN``: a direct connection to it, for promptness where ``PGFLOW_DSN`` leads through a pooler.
- ``PGFLOW_POOL_SIZE``: the most connections of the client's pool in each process; 10.
- ``PGFLOW_FLOWS``: what ``flask pgflow worker`` serves: flows, ``"module"`` or ``"module:flow"``; none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pgflow import dsn as dsns
from pgflow.dsl import Flow
from pgflow.errors import DsnError, SettingsError

__all__ = ["DEFAULTS", "Settings", "read"]

DEFAULTS: Mapping[str, Any] = {
    "PGFLOW_DSN": None,
    "PGFLOW_LISTEN_DSN": None,
    "PGFLOW_POOL_SIZE": 10,
    "PGFLOW_FLOWS": (),
}


@frozen
class Settings:
    """An application's configuration, as it was found to be usable."""

    dsn: str
    listen_dsn: str | None
    pool_size: int
    flows: tuple[str | Flow[Any], ...]


def read(config: Mapping[str, Any]) -> Settings:
    """Return what a configuration says.

    :raises SettingsError: it says something that cannot be used, or names no database; no message holds a DSN.
    """
    size = config["PGFLOW_POOL_SIZE"]
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise SettingsError(f"PGFLOW_POOL_SIZE must be a number of connections, 1 or more, and not {size!r}")
    flows = config["PGFLOW_FLOWS"] or ()
    flows = (flows,) if isinstance(flows, str | Flow) else flows
    if not isinstance(flows, list | tuple | set) or not all(isinstance(flow, str | Flow) for flow in flows):
        raise SettingsError(f'PGFLOW_FLOWS must be a list of flows, "module" or "module:flow", and not {flows!r}')
    listen_dsn = config["PGFLOW_LISTEN_DSN"]
    return Settings(
        dsn=_dsn("PGFLOW_DSN", config["PGFLOW_DSN"]),
        listen_dsn=_dsn("PGFLOW_LISTEN_DSN", listen_dsn) if listen_dsn else None,
        pool_size=size,
        flows=tuple(flows),
    )


def _dsn(name: str, given: Any) -> str:
    if given and not (isinstance(given, str) or hasattr(given, "render_as_string")):
        raise SettingsError(f"{name} must be text or a SQLAlchemy URL, and no {type(given).__name__}")
    try:
        return dsns.resolve(given)
    except DsnError as error:
        raise SettingsError(f"{name}: {error}") from None
