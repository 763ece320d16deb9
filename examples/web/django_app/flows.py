"""What ``manage.py pgflow_worker`` works on: the flows that it finds here."""

from websites.flow import flow

__all__ = ["flow"]
