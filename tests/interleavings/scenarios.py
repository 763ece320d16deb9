"""Where two sessions meet: a flow, how far a run of it has come, and what may be done to it then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from attrs import field, frozen

from tests.interleavings import operations as do
from tests.interleavings.operations import Operation
from tests.interleavings.stage import LATE_WORKER, LEASE, WORKER, Stage
from tests.plugins.engine import Engine, Steps, fanout


@frozen
class Scenario:
    """A place where operations meet.

    :param arrange: brings a fresh run to where it is
    :param own: what the scenario is about: every two of these meet, and each meets all of `others`
    :param crux: what meets in the short form too
    :param sound: whether the run is as the engine leaves it, and not spoilt by hand
    """

    name: str
    steps: Steps = field(eq=False)
    arrange: Callable[[Engine, Stage], None] = field(eq=False)
    own: tuple[Operation, ...] = field(eq=False)
    others: tuple[Operation, ...] = field(eq=False)
    crux: tuple[Operation, ...] = field(eq=False)
    max_attempts: int = 3
    sound: bool = True

    def __str__(self) -> str:
        return self.name

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All that happens here."""
        return tuple(dict.fromkeys(self.own + self.others))

    def pairs(self, *, proof: bool) -> Iterator[tuple[Operation, Operation]]:
        """The ordered pairs of operations that meet."""
        for first, second in product(self.operations, repeat=2):
            if (proof and (first in self.own or second in self.own)) or (first in self.crux and second in self.crux):
                yield first, second


#: What comes along wherever a run is.
PASSERS_BY = (do.CLAIM, do.WATCH, do.SNAPSHOT_OF_ONE, do.START_AGAIN, do.DELETE_FLOW)


def a_claimed_step(engine: Engine, stage: Stage) -> None:
    stage.start(engine, watched=False)
    stage.hold(engine.poll(lease=LEASE))


def watched_and_claimed(engine: Engine, stage: Stage) -> None:
    stage.start(engine)
    stage.hold(engine.poll(lease=LEASE))


def one_step_down(output: object) -> Callable[[Engine, Stage], None]:
    """The first step has returned something, and what it set free is claimed."""

    def arrange(engine: Engine, stage: Stage) -> None:
        stage.start(engine)
        engine.complete(engine.poll_one(), output)
        stage.hold(engine.poll(lease=LEASE))

    return arrange


def two_attempts(engine: Engine, stage: Stage) -> None:
    """The task was lost with its first holder, ``a``; its second is ``second a``."""
    stage.start(engine)
    stage.hold(engine.poll(lease=0))
    stage.tasks["late a"] = stage.tasks["a"]
    stage.hold(engine.poll(lease=LEASE))


def lost_leases(engine: Engine, stage: Stage) -> None:
    stage.start(engine)
    stage.hold(engine.poll(lease=0))


def a_message_that_was_read(engine: Engine, stage: Stage) -> None:
    """It is due, and one who reads the queue by pgmq's own functions has read it before."""
    stage.start(engine)
    stage.messages = [row["msg_id"] for row in engine.rows("select msg_id from pgmq.read('flow', 0, 10)")]


def two_runs(engine: Engine, stage: Stage) -> None:
    stage.start(engine, watched=False)
    stage.start(engine, "second", watched=False)
    stage.hold(engine.poll(lease=LEASE))


def workers(engine: Engine, stage: Stage) -> None:
    """One worker holds a task; another was last heard of eight days ago; both had been asleep."""
    stage.start(engine)
    for worker in (WORKER, LATE_WORKER):
        engine.call("register_worker", p_worker_id=worker, p_queue_name="flow", p_function_name="main")
        engine.call("sleep_on_queues", p_worker_id=worker, p_flow_slugs=["flow"], p_seconds=LEASE)
    engine.do(
        """update pgflow.workers set started_at = clock_timestamp() - interval '8 days',
           last_heartbeat_at = clock_timestamp() - interval '8 days' where worker_id = %s""",
        LATE_WORKER,
    )
    engine.do(
        """update pgflow.sleeping_workers set sleeping_until = clock_timestamp() - interval '8 days'
           where worker_id = %s""",
        LATE_WORKER,
    )
    stage.hold(engine.poll(lease=LEASE))


def a_forgotten_step(engine: Engine, stage: Stage) -> None:
    """Somebody has put a step back by hand, and has not started it."""
    stage.start(engine)
    engine.do(
        """update pgflow.step_states set status = 'created', remaining_tasks = null, started_at = null
           where step_slug = 'b'"""
    )
    engine.do("delete from pgflow.step_tasks where step_slug = 'b'")
    engine.do("delete from pgmq.q_flow where message ->> 'step_slug' = 'b'")
    stage.hold(engine.poll(lease=LEASE))


def a_forgotten_run(engine: Engine, stage: Stage) -> None:
    """Somebody has put a completed run back by hand."""
    stage.start(engine)
    engine.complete(engine.poll_one(), 1)
    engine.do("update pgflow.runs set status = 'started', completed_at = null, output = null")


CHAIN = Scenario(
    "chain",
    {"a": [], "b": ["a"], "c": ["b"]},
    a_claimed_step,
    own=(
        *do.every_report("a"),
        *do.CLAIMS,
        *do.STARTS,
        *do.READS,
        *do.BY_HAND,
        *do.DEFINITIONS,
    ),
    others=(),
    crux=(do.complete("a"), do.hand_back("a"), do.START_BY_KEY, do.WATCH, do.SNAPSHOT_OF_ONE, do.DELETE_FLOW),
)

DIAMOND = Scenario(
    "diamond",
    {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]},
    one_step_down(1),
    own=(
        *do.every_report("b"),
        do.complete("c"),
        do.complete_batch("c"),
        do.complete_batch("c", "b"),
        do.fail("c", permanent=True),
        do.hand_back("c"),
    ),
    others=PASSERS_BY,
    crux=(do.complete("b"), do.complete("c"), do.complete_batch("c"), do.fail("c", permanent=True)),
)

FANOUT = Scenario(
    "fan-out",
    {"a": [], "b": fanout("a"), "c": ["b"]},
    one_step_down([1, 2]),
    own=(
        *do.every_report("b[0]"),
        do.complete("b[1]"),
        do.complete_batch("b[1]"),
        do.complete_batch("b[1]", "b[0]"),
        do.fail("b[1]", permanent=True),
    ),
    others=PASSERS_BY,
    crux=(do.complete("b[0]"), do.complete_batch("b[1]"), do.fail("b[1]", permanent=True)),
)

EMPTY_FANOUT = Scenario(
    "empty fan-out",
    {"a": [], "x": [], "b": fanout("a"), "c": fanout("b"), "d": ["c", "x"]},
    watched_and_claimed,
    own=(
        do.complete("a", []),
        do.complete_batch("a", output=[]),
        do.complete("a", [1]),
        do.complete("a", "no array"),
        do.complete_batch("a", output="no array"),
        do.complete("x"),
        do.complete_batch("x"),
        do.fail("x", permanent=True),
        do.hand_back("x"),
    ),
    others=PASSERS_BY,
    crux=(do.complete("a", []), do.complete("x"), do.fail("x", permanent=True)),
)

LAST_STEPS = Scenario(
    "last steps",
    {"a": [], "b": []},
    a_claimed_step,
    own=(
        *do.every_report("a"),
        do.complete("b"),
        do.complete_batch("b"),
        do.complete_batch("b", "a"),
        do.fail("b", permanent=True),
        do.fail_batch("b", "a", permanent=True),
    ),
    others=PASSERS_BY,
    crux=(do.complete("a"), do.fail("b", permanent=True), do.WATCH),
)

LATE_REPORT = Scenario(
    "late report",
    {"a": [], "b": ["a"]},
    two_attempts,
    own=(
        do.complete("late a"),
        do.complete_batch("late a"),
        do.fail("late a"),
        do.hand_back("late a"),
        do.extend("late a"),
        *do.every_report("a"),
    ),
    others=PASSERS_BY,
    crux=(do.complete("late a"), do.complete("a"), do.fail("a"), do.CLAIM),
)

LOST_LEASES = Scenario(
    "lost leases",
    {"a": [], "b": [], "c": ["a", "b"]},
    lost_leases,
    own=(
        *do.every_report("a"),
        do.complete_batch("b", "a"),
        do.fail("b", permanent=True),
        *do.CLAIMS,
    ),
    others=PASSERS_BY,
    crux=(do.complete("a"), do.hand_back("a"), do.CLAIM),
)

LAST_LEASES = Scenario(
    "last attempts lost",
    {"a": [], "b": [], "c": ["a", "b"]},
    lost_leases,
    own=LOST_LEASES.own,
    others=PASSERS_BY,
    crux=(do.complete("a"), do.CLAIM),
    max_attempts=1,
)

ONE_MESSAGE = Scenario(
    "one message",
    {"a": [], "b": ["a"]},
    a_message_that_was_read,
    own=(*do.CLAIMS, do.START_WHAT_WAS_READ),
    others=(*do.STARTS, do.WATCH, do.SNAPSHOT_OF_ONE, do.START_READY_STEPS, *do.DEFINITIONS),
    crux=(do.CLAIM, do.START_WHAT_WAS_READ),
)

TWO_RUNS = Scenario(
    "two runs",
    {"a": [], "b": ["a"]},
    two_runs,
    own=(
        do.complete_batch("a", "second a"),
        do.complete_batch("second a", "a"),
        do.fail_batch("second a", "a"),
        do.fail_batch("second a", "a", permanent=True),
        do.hand_back("second a", "a"),
        do.extend("second a", "a"),
        do.complete("a"),
        do.fail("second a", permanent=True),
    ),
    others=(do.CLAIM, do.WATCH_ALL, do.SNAPSHOT_OF_ALL, do.STATUSES, do.DELETE_FLOW),
    crux=(do.complete_batch("a", "second a"), do.fail_batch("second a", "a", permanent=True), do.WATCH_ALL),
)

WORKERS = Scenario(
    "workers",
    {"a": [], "b": ["a"]},
    workers,
    own=do.WORKERS,
    others=(do.CLAIM, do.complete("a"), do.hand_back("a"), do.START_MANY, do.DELETE_FLOW, do.REPLACE_FLOW),
    crux=(do.REGISTER, do.LATE_HEARTBEAT, do.SLEEP),
)

FORGOTTEN_STEP = Scenario(
    "forgotten step",
    {"a": [], "b": [], "c": ["a", "b"]},
    a_forgotten_step,
    own=do.BY_HAND,
    others=(*do.every_report("a"), do.complete_batch("a"), do.fail("a", permanent=True), *PASSERS_BY),
    crux=(do.START_READY_STEPS, do.fail("a", permanent=True)),
    sound=False,
)

FORGOTTEN_RUN = Scenario(
    "forgotten run",
    {"a": []},
    a_forgotten_run,
    own=do.BY_HAND,
    others=PASSERS_BY,
    crux=(do.COMPLETE_THE_RUN,),
    sound=False,
)

SCENARIOS = (
    CHAIN,
    DIAMOND,
    FANOUT,
    EMPTY_FANOUT,
    LAST_STEPS,
    LATE_REPORT,
    LOST_LEASES,
    LAST_LEASES,
    ONE_MESSAGE,
    TWO_RUNS,
    WORKERS,
    FORGOTTEN_STEP,
    FORGOTTEN_RUN,
)
