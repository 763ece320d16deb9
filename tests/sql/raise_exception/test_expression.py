from __future__ import annotations

import pytest
from psycopg import errors

from tests.plugins.engine import Engine


def test_it_raises_its_message_from_within_an_expression(engine: Engine) -> None:
    with pytest.raises(errors.RaiseException, match=r"^50% of %s%"):
        engine.do("select case when true then pgflow.raise_exception(%s) else '1'::jsonb end", "50% of %s%")


def test_it_is_not_reached_where_it_is_not_needed(engine: Engine) -> None:
    assert engine.value("select coalesce('1'::jsonb, pgflow.raise_exception('never'))") == 1
