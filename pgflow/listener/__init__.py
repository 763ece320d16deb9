"""Hearing what the database has to say: one thread and one session for everybody in a process."""

from pgflow.listener.listener import Listener

__all__ = ["Listener"]
