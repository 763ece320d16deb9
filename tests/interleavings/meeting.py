"""Two sessions that meet: one does its operation while the other is stopped in the midst of its own.

What comes of it has to be what would have come of one after the other, in either order; and of the second alone, where
the first rolls back.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from enum import StrEnum
from functools import partial
from typing import Any

import psycopg
from attrs import define, field, frozen

from tests.interleavings.gates import Gate, all_gates, held_gates
from tests.interleavings.operations import Operation, Result
from tests.interleavings.outcomes import Outcome, look
from tests.interleavings.scenarios import Scenario
from tests.interleavings.stage import Stage
from tests.plugins.engine import Engine
from tests.plugins.listening import Ear
from tests.plugins.locks import is_blocked
from tests.plugins.waiting import DEADLINE, meanwhile, until

_TABLES = [
    f"pgflow.{name}" for name in ("runs", "step_states", "step_tasks", "task_items", "workers", "sleeping_workers")
]
_CLEAN = f"do $$ begin {' '.join(f'delete from {table};' for table in [*_TABLES, 'pgmq.q_flow'])} end $$"
_A_SECOND_LATER = """
    do $$ begin
      if to_regclass('pgmq.q_flow') is not null then
        update pgmq.q_flow set vt = clock_timestamp() where vt < clock_timestamp() + interval '1 minute';
      end if;
    end $$
"""


class Ending(StrEnum):
    """How the first session ends its transaction, with the second still in the midst of its own."""

    COMMIT = "commits"
    LATE_COMMIT = "commits once the other waits for it"
    ROLLBACK = "rolls back"


@frozen
class Case:
    """One way of meeting.

    :param gate: the lock that the second is stopped at; without one it comes when the first has done all
    """

    scenario: Scenario
    first: Operation
    second: Operation
    gate: str | None
    ending: Ending

    def __str__(self) -> str:
        where = f"while {self.second} stands at {self.gate}" if self.gate else f"{self.second} having come meanwhile"
        return f"{self.scenario}: {self.first} {self.ending}, {where}"

    @property
    def pair(self) -> tuple[Operation, ...]:
        """Both operations."""
        return self.first, self.second


@define
class Arena:
    """A database in which one case is played after the other, and the sessions that play."""

    dsn: str
    first: Engine = field(init=False)
    second: Engine = field(init=False)
    third: Engine = field(init=False)
    observer: Engine = field(init=False)
    ear: Ear = field(init=False)
    _first_waited: bool = field(default=False, init=False)
    _defined: Scenario | None = field(default=None, init=False)
    _serial: dict[tuple[Any, ...], Outcome] = field(factory=dict, init=False)
    _gates: dict[tuple[Scenario, Operation], list[str]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        # What waits for ever is a failure, and so is a deadlock, which is looked for at once.
        options = "-c lock_timeout=5s -c deadlock_timeout=50ms -c jit=off"
        self.first = Engine(psycopg.connect(self.dsn, options=options))
        self.second = Engine(psycopg.connect(self.dsn, options=options, autocommit=True))
        self.third = Engine(psycopg.connect(self.dsn, options="-c lock_timeout=10ms"))
        self.observer = Engine(psycopg.connect(self.dsn, options=options, autocommit=True))
        self.ear = Ear(psycopg.connect(self.dsn, autocommit=True))

    def close(self) -> None:
        """End all sessions, in whatever state they are."""
        for session in (self.first, self.second, self.third, self.observer, self.ear):
            session.connection.cancel_safe()
            session.connection.close()

    def clear(self) -> None:
        """Leave the database as a healthy one."""
        self.first.connection.rollback()
        self.observer.call("delete_flow", p_flow_slug="flow")
        self.observer.do(f"truncate {', '.join(_TABLES)}")
        self._defined = None

    # The cases

    def complaints(self, scenario: Scenario, first: Operation, second: Operation) -> list[str]:
        """What is wrong when two operations meet: a sentence for each case that ends in no serial outcome."""
        self.first.connection.rollback()
        # What so many cases have deleted is still to be read past.
        self.observer.do(f"truncate {', '.join(_TABLES)}")
        wrong: list[str] = []
        for case in self._cases(scenario, first, second):
            try:
                wrong += [f"{case}: {each}" for each in self._judge(case, self._play(case))]
            except (psycopg.Error, AssertionError) as error:
                wrong.append(f"{case}: {str(error).splitlines()[0]}")
                self.close()
                self._open()
                self._defined = None
        return wrong

    def _cases(self, scenario: Scenario, first: Operation, second: Operation) -> Iterator[Case]:
        yield Case(scenario, first, second, None, Ending.LATE_COMMIT)
        yield Case(scenario, first, second, None, Ending.ROLLBACK)
        for gate in self._gates_of(scenario, second):
            yield Case(scenario, first, second, gate, Ending.COMMIT)
            # Where the first has to wait for the second it commits late anyhow.
            if not self._first_waited:
                yield Case(scenario, first, second, gate, Ending.LATE_COMMIT)
            yield Case(scenario, first, second, gate, Ending.ROLLBACK)

    def _judge(self, case: Case, outcome: Outcome) -> Iterator[str]:
        if case.scenario.sound and outcome.violations:
            yield f"{outcome.violations}"
        if case.ending is Ending.ROLLBACK:
            expected = [self.serially(case.scenario, (case.second,))]
        else:
            expected = [self.serially(case.scenario, case.pair, turned=turned) for turned in (False, True)]
        if outcome not in expected and (case.ending is Ending.ROLLBACK or outcome not in self._with_gaps(case)):
            yield "; or else ".join("; ".join(each.differences(outcome)) for each in expected)

    def _with_gaps(self, case: Case) -> Iterator[Outcome]:
        """The serial outcomes where one of the operations leaves something alone, which somebody holds."""
        for operation, other in (case.pair, case.pair[::-1]):
            if operation.skips:
                for gate in dict.fromkeys([case.gate, *self._gates_of(case.scenario, other)]):
                    if gate is not None:
                        turned = operation is case.second
                        yield self.serially(case.scenario, case.pair, turned=turned, gate=gate)

    def _play(self, case: Case) -> Outcome:
        stage = self._fresh(case.scenario, *case.pair)
        if case.gate is None:
            results = self._meet(case, stage)
        else:
            assert self._gate(case.gate).hold(self.third), "somebody holds the gate"
            results = self._meet_at_gate(case, stage)
        return self._settle(stage, case.pair[1:] if case.ending is Ending.ROLLBACK else case.pair, results)

    def _meet(self, case: Case, stage: Stage) -> list[Result]:
        """The first does all it has to do, and the second comes while its transaction is open."""
        one = case.first.perform(self.first, stage)
        with meanwhile(partial(case.second.perform, self.second, stage)) as other:
            self._until_stopped(other, self.second)
            self._end(case.ending)
            return [one, other.result(DEADLINE)]

    def _meet_at_gate(self, case: Case, stage: Stage) -> list[Result]:
        """The second comes as far as the gate; the first does all that it can do then, and the gate is opened."""
        with meanwhile(partial(case.second.perform, self.second, stage)) as other:
            self._until_stopped(other, self.second)
            with meanwhile(partial(case.first.perform, self.first, stage)) as one:
                self._until_stopped(one, self.first)
                self._first_waited = not one.done()
                if one.done() and case.ending is Ending.COMMIT:
                    self._end(case.ending)
                self.third.connection.rollback()
                one.result(DEADLINE)
                self._until_stopped(other, self.second)
                self._end(case.ending)
                return [one.result(DEADLINE), other.result(DEADLINE)]

    def _until_stopped(self, call: Future[Any], session: Engine) -> None:
        until(lambda: call.done() or is_blocked(self.observer, session), "a session that waits or has finished")

    def _end(self, ending: Ending) -> None:
        if ending is Ending.ROLLBACK:
            self.first.connection.rollback()
        else:
            self.first.connection.commit()

    # What is expected

    def serially(
        self,
        scenario: Scenario,
        operations: tuple[Operation, ...],
        *,
        turned: bool = False,
        gate: str | None = None,
    ) -> Outcome:
        """The outcome of operations one after the other, or the other way round.

        :param gate: a lock that somebody holds until the first of them is done or waits for it
        """
        key = (scenario, operations, turned, gate)
        if key not in self._serial:
            stage = self._fresh(scenario, *operations)
            told = []
            if gate is not None:
                self._gate(gate).hold(self.third)
            for operation in reversed(operations) if turned else operations:
                with meanwhile(partial(operation.perform, self.second, stage)) as call:
                    self._until_stopped(call, self.second)
                    self.third.connection.rollback()
                    told.append(call.result(DEADLINE))
            self._serial[key] = self._settle(stage, operations, told[::-1] if turned else told)
        return self._serial[key]

    def _settle(self, stage: Stage, operations: tuple[Operation, ...], results: list[Result]) -> Outcome:
        """The outcome, once those that leave alone what others hold have come again, as they do in a second's time."""
        told = results[-len(operations) :]
        claims = [n for n, operation in enumerate(operations) if operation.claims]
        others = [n for n, operation in enumerate(operations) if not operation.claims]
        if any(operation.skips for operation in operations):
            self.observer.do(_A_SECOND_LATER)
            # Claims first: what comes of them may be news to the others.
            for n in claims + others:
                told[n] = operations[n].perform_again(self.observer, stage, told[n])
        # Who claimed a task does not matter, as long as it is one only.
        claimed = sorted(line for n in claims for line in told[n])
        return look(self.observer, self.ear, stage, (claimed, *(told[n] for n in others)))

    # The stage

    def _fresh(self, scenario: Scenario, *operations: Operation) -> Stage:
        """A run that nobody has touched, and nothing beside it."""
        self.first.connection.rollback()
        if self._defined != scenario:
            self.observer.call("delete_flow", p_flow_slug="flow")
            self.observer.define(scenario.steps, max_attempts=scenario.max_attempts, timeout=36000)
            self._defined = scenario
        self.observer.do(_CLEAN)
        stage = Stage(scenario.steps)
        scenario.arrange(self.observer, stage)
        self.ear.connection.execute("unlisten *")
        self.ear.listen_to(*stage.runs.values())
        if any(operation.redefines for operation in operations):
            self._defined = None
        return stage

    def _gate(self, name: str) -> Gate:
        (gate,) = (gate for gate in all_gates(self.observer) if gate.name == name)
        return gate

    def _gates_of(self, scenario: Scenario, operation: Operation) -> list[str]:
        """The locks that an operation takes, of those that are there before it."""
        key = scenario, operation
        if key not in self._gates:
            stage = self._fresh(scenario, operation)
            gates = all_gates(self.observer)
            operation.perform(self.first, stage)
            self._gates[key] = held_gates(gates, self.third)
            self.first.connection.rollback()
            self._defined = None
        return self._gates[key]
