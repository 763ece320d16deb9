"""An engine without one of its parts, to see that the verdict misses it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from tests.plugins.mutations import rewrite

#: The comparisons of a report's token with the task's, and what is left without them.
_FENCE = {
    "_complete_one": ["(p_token is null or t.token = p_token)"],
    "_complete_many": ["(e.token is null or t.token = e.token)", "(j.token is null or t.token = j.token)"],
    "_fail_one": ["(p_token is null or t.token = p_token)"],
    "release_tasks": ["t.token = e.token"],
}

_NO_EXTENSION = """
create or replace function pgflow.extend_leases(
  p_run_ids uuid[], p_step_slugs text[], p_task_indexes integer[], p_tokens integer[], p_lease double precision
) returns table (run_id uuid, step_slug text, task_index integer, token integer) language plpgsql as 'begin end'
"""


def without_fence(dsn: str) -> None:
    """Have the engine take every report on a started task, whoever held the task when."""
    with psycopg.connect(dsn) as connection:
        for name, comparisons in _FENCE.items():
            for comparison in comparisons:
                rewrite(connection, name, comparison, "true")


def without_extension(dsn: str) -> None:
    """Have the engine acknowledge every extension of a lease, and extend none."""
    with psycopg.connect(dsn) as connection:
        connection.execute(_NO_EXTENSION.encode())


SABOTAGES: dict[str, Callable[[str], None]] = {"fence": without_fence, "extension": without_extension}
