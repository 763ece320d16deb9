"""What every system is measured through: start runs, wait for them, and prove that their handlers did the work."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import ClassVar, Protocol, cast
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

__all__ = ["SYSTEMS", "System", "expected", "load", "url"]

SYSTEMS = ("ours", "dbos", "absurd", "procrastinate", "pgqueuer")


class System(Protocol):
    """One system on a database of its own, driven as its own documentation shows.

    It has three flows, all with a number for input. ``chain``: three steps in a row, each adds one. ``fanout``: so many
    tasks as the input says, and the sum of what they return. ``single``: one step, which adds one.
    """

    #: What is tried, by name. Every setting is measured.
    settings: ClassVar[tuple[str, ...]]
    #: How it is known that the handlers did the work.
    proof: ClassVar[str]

    def __init__(self, dsn: str, setting: str) -> None: ...

    @property
    def workers(self) -> Sequence[str]:
        """What ``work`` is called with: one process for each."""
        ...

    def prepare(self) -> None:
        """Make the system's schema and queues in an empty database."""
        ...

    def work(self, worker: str) -> None:
        """Be one of the workers, until the process is told to end."""
        ...

    def open(self) -> None:
        """Connect as a client, before anything below is called."""
        ...

    def close(self) -> None:
        """Let go of what ``open`` took."""
        ...

    def start(self, flow: str, input: int) -> object:
        """Start one run; what is returned identifies it."""
        ...

    def start_many(self, flow: str, inputs: Sequence[int]) -> Sequence[object]:
        """Start many runs in the fastest way that the system offers to its users."""
        ...

    def result(self, run: object) -> int:
        """Block until a run of ``fanout`` or ``single`` has ended, in the system's own way; what came out."""
        ...

    def is_idle(self) -> bool:
        """Whether no run is open: a look at an index, as it is asked often."""
        ...

    def check(self, flow: str, inputs: Sequence[int], runs: Sequence[object]) -> None:
        """Raise AssertionError unless these runs, all that were started since the last check, came out right."""
        ...


def load(name: str) -> type[System]:
    """The class of one of the systems. Only then is the system itself imported."""
    return cast("type[System]", import_module(f"benchmarks.peers.{name}").SYSTEM)


def expected(flow: str, input: int) -> int:
    """What has to come out."""
    if flow == "fanout":
        return input * (input - 1) // 2
    return input + {"chain": 3, "single": 1}[flow]


def url(dsn: str) -> str:
    """A connection string as the URI that all of them understand: the server in its query, as sockets need it."""
    parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    user, password, database = (quote(parts.pop(name, ""), safe="") for name in ("user", "password", "dbname"))
    who = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"postgresql://{who}/{database}?{urlencode(parts, quote_via=quote)}"
