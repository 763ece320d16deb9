"""Hearing what the database has to say: one thread and one session for all that wait with a connector."""

from pgflow.listener.listener import Listener

__all__ = ["Listener"]
