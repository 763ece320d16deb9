"""The inputs of runs, loaded when a handler asks."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

from attrs import define, field

from pgflow.errors import UnknownRunError
from pgflow.models import Json, RunSnapshot

__all__ = ["RunInputs"]

_KEPT = 32


@define(eq=False)
class RunInputs:
    """Loads the inputs of runs and keeps those of the last few: the tasks of a fan-out ask for the same one."""

    _get_run: Callable[[UUID], RunSnapshot | None]
    _kept: OrderedDict[UUID, Json] = field(factory=OrderedDict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def of(self, run_id: UUID) -> Json:
        """Return the input of a run, a copy of the caller's own.

        :raises UnknownRunError: if the run is gone.
        """
        return copy.deepcopy(self._loaded(run_id))

    def _loaded(self, run_id: UUID) -> Json:
        with self._lock:
            if run_id in self._kept:
                self._kept.move_to_end(run_id)
                return self._kept[run_id]
        snapshot = self._get_run(run_id)
        if snapshot is None:
            raise UnknownRunError(f"run {run_id} is gone, so its input cannot be loaded")
        with self._lock:
            self._kept[run_id] = snapshot.run.input
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return snapshot.run.input
