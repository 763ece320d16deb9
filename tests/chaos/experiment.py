"""One experiment: a server, workers, callers and mayhem, and the history of it all."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import psycopg
from attrs import frozen

from pgflow import migrations
from tests.chaos import audit
from tests.chaos.callers import Callers
from tests.chaos.fleet import Fleet
from tests.chaos.flows import Plan, mixed
from tests.chaos.history import History, Mishap
from tests.chaos.mayhem import Mayhem
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.verdict import violations
from tests.plugins.server import make_server

#: What survives a crash has to be on disk, as anywhere.
_SERVER = {"fsync": "on", "max_connections": "200", "log_min_messages": "warning"}
#: An engine that lacks something need not be waited for as long.
_PATIENCE, _LITTLE_PATIENCE = 120.0, 15.0
#: Workers that were told to stop end so: with everything finished, or with something handed back.
_ORDERLY = {0, 3}
_CLIENT = "callers"


@frozen
class Settings:
    """What an experiment is like."""

    seconds: float = 60.0
    workers: int = 4
    runs: int = 400
    seed: int = 0
    lease: float = 2.0
    #: Seconds between two blows, on average.
    pause: float = 0.6
    #: Which part of the engine is taken out, if any.
    without: str | None = None

    @property
    def patience(self) -> float:
        """Seconds after which what has not come will never come."""
        return _PATIENCE if self.without is None else _LITTLE_PATIENCE


@frozen
class Findings:
    """What an experiment has shown."""

    history: History
    plans: list[Plan]
    #: What was done, and how often.
    done: Counter[str]
    #: Seconds from the first start to the end of the last run.
    lasted: float
    violations: list[str]


def conduct(settings: Settings, logs: Path) -> Findings:
    """Run an experiment; the logs of workers and server are in ``logs`` afterwards."""
    random = Random(settings.seed)
    plans = mixed(settings.runs, random, settings.lease)
    # Root's PostgreSQL has to reach its folder, so it is none of the caller's.
    folder = Path(mkdtemp(prefix="pgflow-chaos-"))
    server = make_server(folder, _SERVER)
    try:
        with server:
            dsn = server.dsn()
            migrations.upgrade(dsn)
            audit.install(dsn)
            if settings.without is not None:
                SABOTAGES[settings.without](dsn)
            with Callers(dsn, _CLIENT, settings.patience) as callers, Fleet(dsn, logs, settings.lease) as fleet:
                mayhem = Mayhem(dsn, server, fleet, _CLIENT, random, settings.pause)
                return _rage(settings, plans, callers, fleet, mayhem)
    finally:
        for log in server.data.glob("server.log"):
            shutil.copy(log, logs)
        shutil.rmtree(folder)


def collect(fleet: Fleet, mishaps: Sequence[Mishap]) -> History:
    """Return what the database and the workers have recorded, once all have ended."""
    history = audit.read(fleet.dsn, fleet.lease)
    notes = [worker.notes() for worker in fleet.started]
    history.calls = [call for each in notes for call in each.calls]
    history.stalls = [stall for each in notes for stall in each.stalls]
    history.mishaps = mishaps
    return history


def _rage(settings: Settings, plans: list[Plan], callers: Callers, fleet: Fleet, mayhem: Mayhem) -> Findings:
    began = time.monotonic()
    for _ in range(settings.workers):
        fleet.start()
    starting = callers.start(plans, settings.seconds)
    mayhem.rage(settings.seconds)
    starting.result()
    _wait_for_the_end(callers.dsn, len(plans), settings.patience)
    lasted = time.monotonic() - began
    callers.finish()
    fleet.stop(30)

    history = collect(fleet, mayhem.mishaps)
    found = [*violations(history, plans), *callers.complaints, *_exits(fleet)]
    return Findings(history, plans, mayhem.done, lasted, found)


def _wait_for_the_end(dsn: str, runs: int, patience: float) -> None:
    """Return when every run has ended, or when it is certain that one never will: the verdict says which."""
    ends = time.monotonic() + patience
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < ends:
            row = connection.execute("select count(*) from pgflow.runs where status <> 'started'").fetchone()
            if row is not None and row[0] >= runs:
                return
            time.sleep(0.1)


def _exits(fleet: Fleet) -> list[str]:
    return [
        f"{worker.name} was told to stop and ended with status {worker.process.poll()}"
        for worker in fleet.started
        if not worker.killed and worker.process.poll() not in _ORDERLY
    ]
