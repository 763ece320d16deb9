"""An engine and the specification of it: the same is done to both, and they must agree.

After each action the answer, the tables, the queues and what was notified are compared, and the engine's own
invariants are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import psycopg
from attrs import define, field

from tests.model import broadcasts, pictures
from tests.model.broadcasts import Heard
from tests.model.pictures import Picture, task_key
from tests.model.records import Span, Task
from tests.model.specification import Model, RefusedError
from tests.plugins.engine import Engine
from tests.plugins.listening import Ear


class DisagreementError(AssertionError):
    """The engine did something else than its specification."""


@define
class Comparison:
    """An engine on a connection that commits, an ear on another one, and the model of what they are to do."""

    engine: Engine
    ear: Ear
    model: Model = field(factory=Model)
    listens_to: set[UUID] = field(factory=set)
    actions: int = 0
    picture: Picture = field(init=False)
    _heard: dict[UUID, list[str]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.picture = pictures.read(self.engine)
        self.ear.take()

    def act(self, call: Callable[[], Any], expect: Callable[[], Any]) -> Any:
        """Do one thing to the engine, in a transaction of its own, and to the model; return what both answered."""
        try:
            with self.engine.connection.transaction():
                answer = call()
        except psycopg.DatabaseError as error:
            answer = f"refused with {error.sqlstate}: {error}"
        after = pictures.read(self.engine)
        self.model.now = Span(self.picture.clock, after.clock)
        try:
            expected = expect()
            agree = answer == expected
        except RefusedError as error:
            expected = f"refused with {error}: "
            agree = isinstance(answer, str) and answer.startswith(expected)
        self.actions += 1

        found = [] if agree else [f"the answer is {answer!r} instead of {expected!r}"]
        found += pictures.differences(self.model, after)
        found += self._differences_heard(after)
        if found:
            raise DisagreementError("\n".join(found))
        pictures.pin(self.model, after)
        self.picture = after
        return answer

    def make_visible(self, tasks: Iterable[Task]) -> None:
        """Let the time pass that the messages of these tasks are hidden for, one after the other."""
        for task in tasks:
            queue = task.step.run.flow_slug.lower()
            message_id = self.picture.messages[task_key(task)]["msg_id"]
            self.engine.do(f'update pgmq."q_{queue}" set vt = clock_timestamp() where msg_id = %s', message_id)
        self.picture = pictures.read(self.engine)
        pictures.pin(self.model, self.picture)

    def _differences_heard(self, after: Picture) -> list[str]:
        heard = Heard.of(self.ear.take())
        expected = [event for event in self.model.events if event.run_id in self.listens_to]
        found = broadcasts.differences(expected, heard, after)
        for run_id, event in heard.events:
            self._heard.setdefault(run_id, []).append(event["event"])
        for run_id in {run_id for run_id, _ in heard.events} & self.model.runs.keys():
            found += broadcasts.disorder(self.model.runs[run_id], self._heard[run_id])
        if sorted(heard.woken) != sorted(self.model.woken):
            found.append(f"the queues {heard.woken} were woken instead of {self.model.woken}")
        for run_id in list(self._heard.keys() - self.model.runs.keys()):
            del self._heard[run_id]  # its id may be used again
        self.model.events.clear()
        self.model.woken.clear()
        return found
