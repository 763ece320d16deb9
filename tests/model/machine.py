"""Random flows and random histories of them, as hypothesis makes them up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.model import flows
from tests.model.side_by_side import LONG, SideBySide
from tests.model.specification import Completion, Failure, Report
from tests.plugins.engine import Task

FLOWS = ("flow", "Dashed-Two")
RUNS = [UUID(int=n) for n in range(1, 7)]
WORKERS = [UUID(int=n) for n in range(101, 103)]
MOST_RUNS = 8

Stage = Callable[[], AbstractContextManager[SideBySide]]

data = st.data()


class EngineMachine(RuleBasedStateMachine):
    """Does to an engine and its specification whatever workers, clients, watchers and operators may do."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._entered = stage()
        self.both = self._entered.__enter__()

    def teardown(self) -> None:
        self._entered.__exit__(None, None, None)

    @initialize(data=data, in_sql=st.booleans(), watched=st.booleans())
    def define(self, data: st.DataObject, in_sql: bool, watched: bool) -> None:
        for slug in FLOWS:
            flow = data.draw(flows.flows(slug))
            if in_sql:
                self.both.define_in_sql(flow)
            else:
                self.both.define(flow)
            self.both.start_many(slug, [1, None], watched=watched)

    # Clients and watchers

    @precondition(lambda self: len(self.both.model.runs) < MOST_RUNS)
    @rule(
        flow=st.sampled_from(FLOWS),
        input=flows.inputs,
        run_id=st.sampled_from(RUNS),
        key=st.sampled_from([None, None, None, "key", "other"]),
        watched=st.booleans(),
        with_states=st.booleans(),
    )
    def start(self, flow: str, input: Any, run_id: UUID, key: str | None, watched: bool, with_states: bool) -> None:
        start = self.both.start_with_states if with_states else self.both.start
        start(flow, input, run_id, key=key, watched=watched)

    @precondition(lambda self: len(self.both.model.runs) < MOST_RUNS)
    @rule(flow=st.sampled_from(FLOWS), inputs=st.lists(flows.inputs, min_size=1, max_size=3), watched=st.booleans())
    def start_many(self, flow: str, inputs: list[Any], watched: bool) -> None:
        self.both.start_many(flow, inputs, watched=watched)

    @precondition(lambda self: self.both.model.runs)
    @rule(data=data)
    def start_again(self, data: st.DataObject) -> None:
        run = self.both.model.runs.get(self._run_id(data))
        if run is not None:
            self.both.start(run.flow_slug, run.input, run.run_id, key=run.key if data.draw(st.booleans()) else None)

    @rule(data=data)
    def watch(self, data: st.DataObject) -> None:
        self.both.watch(self._run_id(data))

    @rule(data=data)
    def leave(self, data: st.DataObject) -> None:
        self.both.leave(self._run_id(data))

    # Workers

    @rule(
        flows=st.sampled_from([FLOWS, FLOWS, FLOWS[:1], FLOWS[1:]]),
        lease=st.sampled_from([LONG, LONG, 0]),
        worker=st.none() | st.sampled_from(WORKERS),
    )
    def claim_all(self, flows: tuple[str, ...], lease: float, worker: UUID | None) -> None:
        self.both.claim(flows, lease=lease, worker=worker)

    @rule(flow=st.sampled_from(FLOWS), qty=st.integers(1, 4), lease=st.sampled_from([int(LONG), 0]), poll=st.booleans())
    def claim_some(self, flow: str, qty: int, lease: int, poll: bool) -> None:
        if poll:
            self.both.poll(flow, qty, lease=lease)
        else:
            self.both.claim([flow], qty, lease=lease)

    @rule(data=data)
    def claim_run(self, data: st.DataObject) -> None:
        self.both.claim_run(self._run_id(data))

    @rule(
        flow=st.sampled_from(FLOWS),
        qty=st.integers(1, 4),
        lease=st.sampled_from([int(LONG), 0]),
        worker=st.none() | st.sampled_from(WORKERS),
    )
    def read(self, flow: str, qty: int, lease: int, worker: UUID | None) -> None:
        """Read the queue and, if a worker is named, start what was read."""
        self.both.read(flow, qty, lease=lease)
        if worker is not None:
            self.both.start_read(*self.both.reads[-1], worker=worker)

    @precondition(lambda self: self.both.reads)
    @rule(data=data, worker=st.sampled_from(WORKERS))
    def start_read(self, data: st.DataObject, worker: UUID) -> None:
        place = data.draw(st.integers(1, len(self.both.reads)))
        self.both.start_read(*self.both.reads[-place], worker=worker)

    @precondition(lambda self: self.both.claims)
    @rule(data=data, number=st.sampled_from([1, 1, 2, 3, 8]), set_based=st.booleans())
    def complete(self, data: st.DataObject, number: int, set_based: bool) -> None:
        reports = [
            self._completion(data, claim, data.draw(st.integers(0, 3)) > 0) for claim in self._some(data, number)
        ]
        self._complete(reports, set_based)

    @precondition(lambda self: self.both.picture.messages)
    @rule(data=data, rounds=st.integers(1, 6), set_based=st.booleans())
    def work(self, data: st.DataObject, rounds: int, set_based: bool) -> None:
        """Complete all that can be had, without mishaps, for so many steps of every run."""
        for _ in range(rounds):
            self.both.make_visible(self.both.waiting())
            self.both.claim(FLOWS)
            reports = [self._completion(data, claim, True) for claim in self._held()]
            if not reports:
                return
            self._complete(reports, set_based)

    @precondition(lambda self: self.both.claims)
    @rule(
        data=data,
        number=st.integers(1, 3),
        error=st.sampled_from([None, "", "it broke"]),
        permanent=st.sampled_from([False, False, False, True]),
        retry_delay=st.sampled_from([None, None, 0.0, 2 * LONG, -1.0]),
        set_based=st.booleans(),
    )
    def fail(
        self,
        data: st.DataObject,
        number: int,
        error: str | None,
        permanent: bool,
        retry_delay: float | None,
        set_based: bool,
    ) -> None:
        reports = [
            Failure(*self._report(data, claim), error=error, permanent=permanent, retry_delay=retry_delay)
            for claim in self._some(data, number)
        ]
        if set_based:
            self.both.fail_many(reports)
        else:
            for report in reports:
                self.both.fail(report)

    @precondition(lambda self: self.both.claims)
    @rule(data=data, number=st.integers(1, 3))
    def release(self, data: st.DataObject, number: int) -> None:
        self.both.release([Report(*self._report(data, claim)) for claim in self._some(data, number)])

    @precondition(lambda self: self.both.claims)
    @rule(data=data, number=st.integers(1, 3), lease=st.sampled_from([LONG / 3, 2 * LONG]))
    def extend(self, data: st.DataObject, number: int, lease: float) -> None:
        self.both.extend([Report(*self._report(data, claim)) for claim in self._some(data, number)], lease)

    @rule(worker=st.sampled_from(WORKERS), stops=st.booleans())
    def sleep(self, worker: UUID, stops: bool) -> None:
        if stops:
            self.both.stop(worker)
        else:
            self.both.sleep(worker, list(FLOWS))

    # Time and operators

    @precondition(lambda self: self.both.picture.messages)
    @rule(data=data)
    def let_time_pass(self, data: st.DataObject) -> None:
        tasks = self.both.waiting()
        places = st.integers(0, len(tasks) - 1)
        self.both.make_visible(tasks[n] for n in data.draw(st.lists(places, min_size=1, max_size=4, unique=True)))

    @rule(data=data, flow=st.sampled_from(FLOWS), change=st.sampled_from(["options", "options", "shape", "step"]))
    def redefine(self, data: st.DataObject, flow: str, change: str) -> None:
        known = self.both.model.flows[flow]
        slugs = [step.slug for step in known.steps]
        if change == "options":
            self.both.define(data.draw(flows.other_options(known)))
        elif change == "shape":
            self.both.define(flows.rearranged(known))
        elif len(slugs) < flows.MOST_STEPS:
            self.both.add_step(
                flow, data.draw(flows.steps(data.draw(st.sampled_from([*slugs, f"new-{len(slugs)}"])), slugs))
            )

    @precondition(lambda self: self.both.model.runs)
    @rule(data=data, flow=st.sampled_from(FLOWS))
    def replace(self, data: st.DataObject, flow: str) -> None:
        # Rarely: what is done to a flow that is gone is soon told.
        if data.draw(st.integers(0, 4)) == 0:
            self.both.define(data.draw(flows.flows(flow)), replace=True)

    @precondition(lambda self: self.both.model.runs)
    @rule(data=data)
    def push(self, data: st.DataObject) -> None:
        self.both.push(self._run_id(data))

    # What is drawn

    def _run_id(self, data: st.DataObject) -> UUID:
        """A run, if there is any."""
        run_ids = [*self.both.model.runs, *RUNS[:1]]
        return run_ids[data.draw(st.integers(0, len(run_ids) - 1))]

    def _held(self) -> list[Task]:
        """The claims that their workers have not lost."""
        held = []
        for claim in self.both.claims:
            task = self.both.model.find(claim.run_id, claim.step_slug, claim.task_index)
            if task is not None and (task.status, task.token) == ("started", claim.token):
                held.append(claim)
        return held

    def _some(self, data: st.DataObject, number: int) -> list[Task]:
        """Claims, most of them held, some long lost, some twice."""
        claims = [*self._held(), *self.both.claims[-8:]]
        places = st.integers(0, len(claims) - 1)
        return [claims[n] for n in data.draw(st.lists(places, min_size=1, max_size=number))]

    def _report(self, data: st.DataObject, claim: Task) -> tuple[UUID, str, int, int | None]:
        """A claim's key with its token, or unfenced, or with a token that was never given out; or no task's key."""
        token = data.draw(st.sampled_from([claim.token, claim.token, claim.token, None, claim.token + 7]))
        index = data.draw(st.sampled_from([claim.task_index] * 5 + [99]))
        return claim.run_id, claim.step_slug, index, token

    def _completion(self, data: st.DataObject, claim: Task, is_fit: bool) -> Completion:
        """A result, of the shape that dependents need if it is to fit."""
        task = self.both.model.find(claim.run_id, claim.step_slug, claim.task_index)
        needs_array = task is not None and task.step.feeds_fanout and not task.step.definition.is_fanout
        output = data.draw(flows.arrays if is_fit and needs_array else flows.values)
        if is_fit:
            return Completion(claim.run_id, claim.step_slug, claim.task_index, claim.token, output=output)
        return Completion(*self._report(data, claim), output=output)

    def _complete(self, reports: list[Completion], set_based: bool) -> None:
        if set_based:
            self.both.complete_many(reports)
        else:
            for report in reports:
                self.both.complete(report)
