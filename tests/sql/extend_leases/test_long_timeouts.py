from __future__ import annotations

from tests.plugins.engine import Engine


def test_the_longest_timeout_there_is_can_be_extended(engine: Engine) -> None:
    engine.define({"a": []}, timeout=2147483647)
    engine.start()
    (task,) = engine.poll()
    lost = engine.rows(
        "select * from pgflow.extend_leases(array[%s]::uuid[], array['a'], array[0], array[%s]::integer[], 600)",
        task.run_id,
        task.token,
    )
    assert lost == []
    assert engine.messages()[0]["hidden"] > 500
