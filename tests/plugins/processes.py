"""Whether a process is there."""

from __future__ import annotations

import os
from pathlib import Path


def is_gone(pid: int) -> bool:
    """Whether a process has ended and its parent has seen that."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def has_ended(pid: int) -> bool:
    """Whether a process runs no longer; for one whose parent is dead, so that it may be that nobody sees its end."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self").exists():
        return is_gone(pid)
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
