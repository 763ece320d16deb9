"""The engine as the tests of its functions have it."""

from __future__ import annotations

from tests.sql.conftest import committed, engine

__all__ = ["committed", "engine"]
