from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine, fanout


@pytest.mark.parametrize("neighbour", ["flow_msg_id_seq", "flow_vt_idx"])
def test_a_flow_is_refused_whose_queue_would_share_a_name_with_anothers(engine: Engine, neighbour: str) -> None:
    engine.define({"a": []}, flow=neighbour)
    with pytest.raises(errors.DatabaseError, match="exists and is not ours") as refusal:
        engine.define({"a": [], "b": fanout("a")})
    assert refusal.value.sqlstate == "PF007"
