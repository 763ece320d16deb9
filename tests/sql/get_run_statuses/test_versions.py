from __future__ import annotations

from uuid import UUID

from tests.plugins.engine import NOBODY, Engine, fanout


def version(engine: Engine, run: UUID) -> int:
    found: int = engine.value("select version from pgflow.get_run_statuses(%s)", [run])
    return found


def test_only_runs_that_exist_have_a_status(engine: Engine) -> None:
    engine.define({"a": []})
    runs = [engine.start() for _ in range(2)]
    engine.complete(engine.poll_one())
    found = engine.rows("select run_id, status from pgflow.get_run_statuses(%s)", [*runs, NOBODY])
    assert {row["run_id"]: row["status"] for row in found} == {runs[0]: "completed", runs[1]: "started"}


def test_the_version_grows_whenever_a_step_moves(engine: Engine) -> None:
    engine.define({"a": [], "b": fanout("a"), "c": ["b"]})
    run = engine.start()
    versions = [version(engine, run)]
    engine.complete(engine.poll_one(), [1, 2])
    versions.append(version(engine, run))
    engine.complete(engine.poll_one())
    versions.append(version(engine, run))
    engine.complete(engine.poll_one())
    versions.append(version(engine, run))
    engine.complete(engine.poll_one())
    versions.append(version(engine, run))

    assert versions[1] == versions[2], "a task of many is no step"
    assert versions == sorted(versions)
    assert len(set(versions)) == 4


def test_the_version_grows_when_a_run_fails(engine: Engine) -> None:
    engine.define({"a": [], "b": ["a"]})
    run = engine.start()
    before = version(engine, run)
    engine.fail(engine.poll_one(), permanent=True)
    assert version(engine, run) > before


def test_a_poll_and_a_retry_change_nothing_that_is_to_be_fetched(engine: Engine) -> None:
    engine.define({"a": []})
    run = engine.start()
    before = version(engine, run)
    engine.fail(engine.poll_one())
    assert version(engine, run) == before
