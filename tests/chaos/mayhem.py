"""What is done to workers, connections and the server, as one seed has it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TypeVar

import psycopg
from attrs import define, field

from pgflow.embedded import EmbeddedServer
from tests.chaos.fleet import Fleet, WorkerProcess
from tests.chaos.history import Mishap
from tests.plugins.server import crash

T = TypeVar("T")

_logger = logging.getLogger(__name__)

#: A pause between two blows, in average ones.
_PAUSES = 0.5, 1.5
#: How long a worker is suspended, in leases.
_SUSPENSIONS = 1.2, 2.2
#: Workers that are left alone at any time, so that there is somebody to take over.
_SPARED = 2
#: Seconds after which nobody to strike means that nobody ever comes.
_PATIENCE = 60.0


@define
class Mayhem:
    """Deals blows from shuffled decks, so that each kind comes once before any comes again."""

    _dsn: str
    _server: EmbeddedServer
    _fleet: Fleet
    #: What the sessions call themselves that start runs and wait for them.
    _client: str
    _random: Random
    #: Seconds between two blows, on average.
    _pause_between: float
    #: What may have cost workers their leases.
    mishaps: list[Mishap] = field(factory=list, init=False)
    #: How often what was done.
    done: Counter[str] = field(factory=Counter, init=False)
    #: Who is suspended, since when, and until when by the monotonic clock.
    _suspended: dict[WorkerProcess, tuple[float, float]] = field(factory=dict, init=False)

    def rage(self, seconds: float) -> None:
        """Deal blows for so long, at least one deck of them, and leave everything calm."""
        ends = time.monotonic() + seconds
        deck: list[Callable[[], None]] = [
            self._kill,
            self._suspend,
            self._stop,
            self._cut_worker,
            self._cut_clients,
            self._restart,
        ]
        try:
            while time.monotonic() < ends:
                self._random.shuffle(deck)
                for blow in deck:
                    blow()
                    self._pause(self._pause_between * self._random.uniform(*_PAUSES))
        finally:
            for worker in list(self._suspended):
                self._resume(worker)

    def _kill(self) -> None:
        worker = self._victim()
        self.mishaps.append(Mishap("kill", frozenset([worker.worker_id]), time.time()))
        worker.kill()
        _logger.info("killed %s", worker.name)
        self.done["kills"] += 1
        self._fleet.start()

    def _suspend(self) -> None:
        worker = self._victim()
        lasts = self._fleet.lease * self._random.uniform(*_SUSPENSIONS)
        self._suspended[worker] = time.time(), time.monotonic() + lasts
        worker.suspend()
        _logger.info("suspended %s", worker.name)
        self.done["suspensions"] += 1

    def _resume(self, worker: WorkerProcess) -> None:
        began, _ = self._suspended.pop(worker)
        worker.resume()
        _logger.info("resumed %s", worker.name)
        self.mishaps.append(Mishap("suspension", frozenset([worker.worker_id]), began, time.time()))

    def _stop(self) -> None:
        # No mishap: what a worker cannot finish it hands back.
        worker = self._victim()
        worker.stop()
        _logger.info("told %s to stop", worker.name)
        self.done["stops"] += 1
        self._fleet.start()

    def _cut_worker(self) -> None:
        worker = self._victim()
        began = time.time()
        session, listener = worker.name, f"{worker.name} listener"
        names, at_most = self._random.choice([((session, listener), None), ((session,), 1), ((listener,), None)])
        cut = self._cut(*names, at_most=at_most)
        self.mishaps.append(Mishap("cut", frozenset([worker.worker_id]), began, time.time()))
        self.done["connections of workers cut"] += cut

    def _cut_clients(self) -> None:
        self.done["connections of clients cut"] += self._cut(self._client, f"{self._client} listener")

    def _restart(self) -> None:
        began = time.time()
        crash(self._server)
        _logger.info("restarted the server")
        self.mishaps.append(Mishap("restart", None, began, time.time()))
        self.done["restarts"] += 1

    def _cut(self, *names: str, at_most: int | None = None) -> int:
        """Cut sessions off that call themselves so, as soon as there are any: after a blow they may be on their way."""
        sessions = "select pid from pg_stat_activity where application_name = any(%s) order by pid"
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            pids = self._until(lambda: connection.execute(sessions, [list(names)]).fetchall(), "anybody to cut off")
            self._random.shuffle(pids)
            chosen = pids[:at_most]
            for pid in chosen:
                connection.execute("select pg_terminate_backend(%s)", pid)
        _logger.info("cut %d connections of %s", len(chosen), " and ".join(names))
        return len(chosen)

    def _victim(self) -> WorkerProcess:
        """One of those at work, once more are than have to be spared."""

        def candidates() -> list[WorkerProcess]:
            at_work = self._fleet.at_work
            return at_work if len(at_work) > _SPARED else []

        return self._random.choice(self._until(candidates, f"more than {_SPARED} workers at work"))

    def _until(self, find: Callable[[], list[T]], what: str) -> list[T]:
        """Return what is found, once something is."""
        ends = time.monotonic() + _PATIENCE
        while not (found := find()):
            if time.monotonic() > ends:
                raise TimeoutError(f"waited in vain for {what}")
            self._pause(0.05)
        return found

    def _pause(self, seconds: float) -> None:
        """Let time pass, and suspended workers go on when theirs has come."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))
            for worker, (_, until) in list(self._suspended.items()):
                if until <= time.monotonic():
                    self._resume(worker)
