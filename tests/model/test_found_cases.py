"""Histories that once ended in a disagreement, and others that random ones come to seldom, written down."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.model.definitions import FlowDefinition, StepDefinition
from tests.model.side_by_side import LONG, SideBySide
from tests.model.specification import Completion, Failure, Report
from tests.plugins.engine import Task

RUN, OTHER = UUID(int=1), UUID(int=2)
WORKER = UUID(int=101)


def single(slug: str, *deps: str) -> StepDefinition:
    return StepDefinition(slug, deps)


def fanout(slug: str, dep: str) -> StepDefinition:
    return StepDefinition(slug, (dep,), is_fanout=True)


def flow(*steps: StepDefinition, max_attempts: int = 3, base_delay: int = 1000) -> FlowDefinition:
    return FlowDefinition("flow", steps, max_attempts, base_delay)


def key(task: Task) -> tuple[UUID, str, int, int]:
    return task.run_id, task.step_slug, task.task_index, task.token


def test_a_worker_that_read_a_message_long_ago_does_not_cut_the_delay_of_its_retry(both: SideBySide) -> None:
    both.define(flow(single("a")))
    both.start("flow", 1, RUN)
    both.read("flow", 1)
    (task,) = both.start_read(*both.reads[0], worker=WORKER)
    both.fail(Failure(*key(task)))
    assert both.start_read(*both.reads[0], worker=WORKER) == []


def test_a_worker_that_read_a_message_long_ago_does_not_hide_what_was_handed_back(both: SideBySide) -> None:
    both.define(flow(single("a")))
    both.start("flow", 1, RUN)
    both.read("flow", 1)
    (task,) = both.start_read(*both.reads[0], worker=WORKER)
    both.release([Report(*key(task))])
    assert both.start_read(*both.reads[0], worker=WORKER) == []
    assert len(both.claim(["flow"])) == 1


def test_what_was_read_of_a_queue_that_was_replaced_may_bear_the_ids_of_other_messages(both: SideBySide) -> None:
    both.define(flow(single("a"), single("b")))
    both.start("flow", 1, RUN)
    both.read("flow", 2)
    both.define(flow(single("c"), single("d")), replace=True)
    both.start("flow", 1, RUN)
    unread = both.start_read(*both.reads[0], worker=WORKER)
    assert [task.token for task in unread] == [0, 0]
    assert [task.token for task in both.claim(["flow"])] == [1, 1], "nobody had read them, so they were visible"


def test_a_key_with_the_id_of_no_run_is_refused(both: SideBySide) -> None:
    both.define(flow(single("a")))
    both.start("flow", 1, RUN, key="key")
    both.start("flow", 1, OTHER, key="key")
    assert both.model.runs.keys() == {RUN}


def test_an_id_may_be_used_again_once_its_flow_was_replaced(both: SideBySide) -> None:
    both.define(flow(single("a")))
    both.start("flow", 1, RUN)
    both.define(flow(single("a"), single("b", "a")), replace=True)
    both.start("flow", 2, RUN)
    (task,) = both.claim(["flow"])
    both.complete(Completion(*key(task), output=[]))


@pytest.mark.parametrize("set_based", [False, True])
def test_empty_fan_outs_below_one_another_complete_together(both: SideBySide, set_based: bool) -> None:
    steps = [single("a"), *(fanout(f"f{n}", f"f{n - 1}" if n else "a") for n in range(11))]
    both.define(flow(*steps))
    both.start("flow", 1, RUN)
    (task,) = both.claim(["flow"])
    if set_based:
        both.complete_many([Completion(*key(task), output=[]), Completion(OTHER, "a", 0, 1, output=[])])
    else:
        both.complete(Completion(*key(task), output=[]))
    assert both.model.runs[RUN].output == {"f10": []}


def test_a_claim_that_gives_up_on_one_task_takes_back_what_it_started_of_the_same_run(both: SideBySide) -> None:
    both.define(flow(single("a"), single("b"), max_attempts=1))
    both.start("flow", 1, RUN)
    both.claim(["flow"], 1, lease=0)
    assert both.claim(["flow"]) == []
    assert both.model.runs[RUN].status == "failed"


def test_a_batch_completes_what_it_can_before_a_wrong_shape_fails_the_run(both: SideBySide) -> None:
    both.define(flow(single("a"), fanout("b", "a"), single("c"), single("d", "c")))
    both.start("flow", 1, RUN)
    tasks = both.claim(["flow"])
    both.complete_many([Completion(*key(task), output={"no": "array"}) for task in tasks])
    statuses = {slug: step.status for slug, step in both.model.runs[RUN].steps.items()}
    assert statuses == {"a": "failed", "b": "cancelled", "c": "completed", "d": "cancelled"}


def test_a_lease_is_never_shortened_and_never_extended_beyond_the_timeout(both: SideBySide) -> None:
    both.define(FlowDefinition("flow", (single("a"),), timeout=1000))
    both.start("flow", 1, RUN)
    (task,) = both.claim(["flow"], lease=LONG)
    both.extend([Report(*key(task))], LONG / 3)
    both.make_visible(both.waiting())
    both.extend([Report(*key(task))], 2 * LONG)
    both.claim(["flow"])


def test_a_step_that_is_added_to_a_flow_is_none_of_its_earlier_runs(both: SideBySide) -> None:
    both.define(flow(single("a")))
    both.start("flow", 1, RUN)
    both.add_step("flow", fanout("b", "a"))
    both.start("flow", 1, OTHER)
    both.complete_many([Completion(*key(task), output=7) for task in both.claim(["flow"])])
    assert (both.model.runs[RUN].status, both.model.runs[OTHER].status) == ("completed", "failed")


def test_a_watcher_who_comes_late_hears_the_rest(both: SideBySide) -> None:
    both.define(flow(single("a"), single("b", "a")))
    both.start("flow", 1, RUN, watched=False)
    (task,) = both.claim(["flow"])
    both.watch(RUN)
    both.complete(Completion(*key(task), output="x" * 9000))
    both.leave(RUN)
    (task,) = both.claim(["flow"])
    both.watch(RUN)
    both.complete(Completion(*key(task), output=None))
