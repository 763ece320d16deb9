"""The extension: what an application has of pgflow."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app
from werkzeug.local import LocalProxy

from pgflow.client import FlowClient
from pgflow.contrib.flask import settings
from pgflow.contrib.flask.commands import pgflow
from pgflow.errors import SettingsError

__all__ = ["Pgflow", "current_client"]

_NAME = "pgflow"


class Pgflow:
    """Gives applications a client and the commands ``flask pgflow migrate`` and ``flask pgflow worker``.

    ::

        pgflow = Pgflow()

        def create_app() -> Flask:
            app = Flask(__name__)
            app.config.from_prefixed_env()  # FLASK_PGFLOW_DSN
            pgflow.init_app(app)
            return app

    The configuration is that of `pgflow.contrib.flask.settings`. It is read, and a connection opened, when a view first
    asks something of the client: not at import and not by ``init_app``, so that a server may load the application
    before it forks. One extension serves any number of applications.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Make an application one that has a client and the commands.

        :raises RuntimeError: it has them already.
        """
        if _NAME in app.extensions:
            raise RuntimeError(f"the application {app.name!r} has a Pgflow already: init_app is called once for each")
        for key, value in settings.DEFAULTS.items():
            app.config.setdefault(key, value)
        clients: dict[str, FlowClient] = {}
        app.extensions[_NAME] = clients
        app.cli.add_command(pgflow)

    @property
    def client(self) -> FlowClient:
        """The client of the current application: one for each, which threads share and which does not mind a fork.

        :raises SettingsError: the configuration has what cannot be used, or names no database.
        :raises RuntimeError: there is no application context.
        """
        return _client()


def _client() -> FlowClient:
    clients: dict[str, FlowClient] | None = current_app.extensions.get(_NAME)
    if clients is None:
        raise SettingsError(
            f"the application {current_app.name!r} has no client: call Pgflow(app), or init_app(app) of your Pgflow"
        )
    client = clients.get("client")
    if client is None:
        # No lock, which a fork could copy while it is held. Of several threads that come first one makes the client
        # that stays; those of the others have opened nothing.
        client = clients.setdefault("client", _connect(current_app.config))
    return client


def _connect(config: Any) -> FlowClient:
    given = settings.read(config)
    return FlowClient(given.dsn, listen_dsn=given.listen_dsn, pool_size=given.pool_size)


current_client: FlowClient = LocalProxy(_client)  # type: ignore[assignment]
"""The client of the current application, as ``current_app`` is the application."""
