"""JSON as the command line prints it: a document is one line, and times are ISO 8601."""

from __future__ import annotations

import json
from datetime import datetime

__all__ = ["as_json"]


def as_json(value: object) -> str:
    """Return a value as one line of JSON; what JSON has no form for is its text."""
    return json.dumps(value, ensure_ascii=False, default=_text)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
