"""What a call costs, in rows, pages and bytes of WAL: the same on a busy machine as on an idle one."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from tests.plugins.engine import Engine

PAGE = 8192


@frozen
class Cost:
    """Pages looked at, and bytes of WAL written, those of full page images apart."""

    pages: int
    wal: int


def cost(engine: Engine, query: str, *parameters: Any, **named: Any) -> Cost:
    """Run a query, with positional or named parameters, and say what it cost with all that its functions did."""
    explain = f"explain (analyze, buffers, wal, timing off, format json) {query}"
    (row,) = engine.connection.execute(explain.encode(), parameters or named or None)
    plan = row[0][0]["Plan"]
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return Cost(pages, max(0, plan["WAL Bytes"] - PAGE * plan["WAL FPI"]))


def rows_read(engine: Engine, query: str, *parameters: Any, **named: Any) -> int:
    """Run a query within a transaction, and count the rows of the engine's tables and queues that it had to look at."""
    counted = """
        select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint from pg_stat_xact_user_tables
        where schemaname in ('pgflow', 'pgmq')
    """
    before: int = engine.value(counted)
    engine.connection.execute(query.encode(), parameters or named or None)
    after: int = engine.value(counted)
    return after - before
