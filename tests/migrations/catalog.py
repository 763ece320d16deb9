"""What a database holds of the schema, in a form that two databases can be compared by."""

from __future__ import annotations

from typing import Any

import psycopg

_SCHEMAS = "('pgflow', 'realtime')"

_QUERIES = {
    "schemas": "select nspname, obj_description(oid), nspacl::text from pg_namespace where nspname in {schemas}",
    "functions": """
        select p.oid::regprocedure::text, pg_get_functiondef(p.oid), obj_description(p.oid), p.proacl::text
          from pg_proc as p where p.pronamespace::regnamespace::text in {schemas} and p.prokind = 'f'
    """,
    "relations": """
        select c.oid::regclass::text, c.relkind, c.relpersistence, c.relacl::text, obj_description(c.oid),
               array(select unnest(c.reloptions) order by 1)::text
          from pg_class as c where c.relnamespace::regnamespace::text in {schemas}
    """,
    # By name and not by position: a column that came later is at the end.
    "columns": """
        select c.oid::regclass::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid), a.attstorage, a.attacl::text
          from pg_attribute as a
          join pg_class as c on c.oid = a.attrelid
          left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where c.relnamespace::regnamespace::text in {schemas} and c.relkind in ('r', 'c', 'v')
           and a.attnum > 0 and not a.attisdropped
    """,
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          from pg_constraint where connamespace::regnamespace::text in {schemas}
    """,
    "indexes": "select schemaname, indexname, indexdef from pg_indexes where schemaname in {schemas}",
    "triggers": """
        select tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid)
          from pg_trigger as t join pg_class as c on c.oid = tgrelid
         where not tgisinternal and relnamespace::regnamespace::text in {schemas}
    """,
}


def catalog(connection: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Functions with their bodies, tables, columns, constraints, indexes, grants: everything but the data."""
    found: dict[str, list[Any]] = {}
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        for what, query in _QUERIES.items():
            rows = cursor.execute(query.format(schemas=_SCHEMAS)).fetchall()
            found[what] = sorted(rows, key=repr)
    return found


def functions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The definition of every function, by its signature."""
    return {row[0]: row[1] for row in catalog(connection)["functions"]}
