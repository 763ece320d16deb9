"""A PostgreSQL of one's own, for the demo, the examples and the tests."""

from pgflow.embedded.server import DEFAULT_VERSION, EmbeddedServer, server_dsn, stop_servers

__all__ = ["DEFAULT_VERSION", "EmbeddedServer", "server_dsn", "stop_servers"]
