"""The guide to tenants, run as printed, and two logins that try to see each other's runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from attrs import frozen
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgflow import Flow, FlowClient, Worker
from tests.docs.pages import Page
from tests.plugins.databases import Connection, own_database
from tests.plugins.engine import Engine
from tests.plugins.listening import Ear

PAGE = Page("guides/tenants.md")
# Roles belong to the server, which other tests use too: each has names of its own here.
ROLES = ("acme", "globex", "tenancy", "tenant")


@frozen
class Names:
    """The guide's names, and what they are called in this test."""

    suffix: str

    def of(self, text: str) -> str:
        """A text of the guide's with these names."""
        return re.sub(rf"\b({'|'.join(ROLES)})\b", rf"\1_{self.suffix}", text)

    def role(self, name: str) -> str:
        return f"{name}_{self.suffix}"


@pytest.fixture
def names(dsn: str) -> Iterator[Names]:
    """Names that are free, and no roles of theirs in the end."""
    names = Names(uuid4().hex[:8])
    yield names
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name in ROLES:
            role = sql.Identifier(names.role(name))
            if connection.execute("select to_regrole(%s)", [names.role(name)]).fetchone() != (None,):
                connection.execute(sql.SQL("drop owned by {} cascade").format(role))
                connection.execute(sql.SQL("drop role {}").format(role))


@pytest.fixture
def invoices() -> Flow[Any]:
    flow: Flow[Any] = Flow("make-invoice")

    @flow.step
    def number(run: dict[str, int]) -> int:
        return 1000 + run["order"]

    return flow


@pytest.fixture
def tenants(
    dsn: str, database: Connection, names: Names, invoices: Flow[Any], connect: Callable[..., Connection]
) -> Iterator[dict[str, Engine]]:
    """The guide's schema, and a session of each tenant; more are closed with them."""
    with FlowClient(dsn) as client:
        client.register(invoices)
    schema, _ = PAGE.blocks("sql")
    database.execute(names.of(schema.text).encode())
    logins = {
        name: psycopg.connect(make_conninfo(dsn, user=names.role(name)), autocommit=True) for name in ("acme", "globex")
    }
    yield {name: Engine(login) for name, login in logins.items()}
    for login in logins.values():
        login.close()


def test_the_guide_s_programs(
    dsn: str, database: Connection, names: Names, tenants: dict[str, Engine], invoices: Flow[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PGFLOW_DSN", dsn)
    database.execute("create table invoice_runs (run_id uuid primary key, tenant text not null)")
    scope: dict[str, Any] = {"dsn": dsn, "__name__": "guide"}
    application, login = PAGE.blocks("python")
    with Worker(invoices, dsn):
        exec(compile(application.text, "tenants.md", "exec", dont_inherit=True), scope)
        run_id = scope["start_invoice"]("acme", 8)
        assert scope["invoice_run"]("acme", run_id).result(10) == {"number": 1008}
        for tenant, other in (("globex", run_id), ("acme", str(uuid4()))):
            with pytest.raises(LookupError, match="there is no such invoice"):
                scope["invoice_run"](tenant, other)
        exec(compile(names.of(login.text), "tenants.md", "exec", dont_inherit=True), scope)
        scope["client"].close()
    assert (scope["status"], scope["output"]) == ("completed", {"number": 1007})


def start(tenant: Engine, names: Names, order: int) -> UUID:
    run_id: UUID = tenant.value(names.of("select tenancy.start('make-invoice', %s)"), f'{{"order": {order}}}')
    return run_id


def test_a_tenant_sees_its_own_runs_and_no_others(tenants: dict[str, Engine], names: Names) -> None:
    runs = {name: start(tenant, names, order) for order, (name, tenant) in enumerate(tenants.items())}
    for name, tenant in tenants.items():
        for view in ("runs", "steps"):
            seen = {row["run_id"] for row in tenant.rows(names.of(f"select run_id from tenancy.{view}"))}
            assert seen == {runs[name]}
        other = runs["globex" if name == "acme" else "acme"]
        assert tenant.rows(names.of("select from tenancy.runs where run_id = %s"), other) == []


@pytest.mark.parametrize(
    "statement",
    [
        "select tenancy.start('another-flow', '1')",
        "select * from tenancy.owned",
        "insert into tenancy.owned (run_id) select gen_random_uuid()",
        "update tenancy.owned set tenant = session_user",
        "insert into tenancy.may_start values (session_user, 'another-flow')",
        "select * from pgflow.runs",
        "select pgflow.start_flow('make-invoice', '1')",
        "select pgflow.get_run_with_states('{other}')",
        "select pgflow.watch_run('{other}')",
        "select pgflow.get_run_statuses('{{{other}}}')",
        "select pgflow.complete_task('{other}', 'number', 0, '1')",
        'select * from pgmq."q_make-invoice"',
        "set role tenancy",
        "set role globex",
        "set session authorization globex",
        "alter table tenancy.owned no force row level security",
        "create or replace view tenancy.runs as select 1",
    ],
)
def test_a_tenant_does_nothing_but_start_and_look(tenants: dict[str, Engine], names: Names, statement: str) -> None:
    other = start(tenants["globex"], names, 1)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        tenants["acme"].do(names.of(statement).format(other=other))


def test_a_function_in_a_condition_is_not_shown_what_is_not_its_owner_s(
    tenants: dict[str, Engine], names: Names, dsn: str
) -> None:
    for order in range(20):
        start(tenants["globex"], names, order)
    own = start(tenants["acme"], names, 99)
    curious = tenants["acme"]
    seen: list[str | None] = []
    curious.connection.add_notice_handler(lambda notice: seen.append(notice.message_primary))
    with psycopg.connect(dsn, autocommit=True) as owner:
        database = sql.Identifier(owner.info.dbname)
        owner.execute(sql.SQL("grant temporary on database {} to public").format(database))
    curious.do(
        "create function pg_temp.peek(input jsonb) returns boolean language plpgsql cost 0.0000001 as "
        "$$begin raise notice '%%', input; return true; end$$".replace("%%", "%")
    )
    assert len(curious.rows(names.of("select run_id from tenancy.runs where pg_temp.peek(input)"))) == 1
    assert seen == ['{"order": 99}']
    assert curious.value(names.of("select run_id from tenancy.runs where pg_temp.peek(input)")) == own


def test_what_a_tenant_starts_is_not_heard(
    tenants: dict[str, Engine], names: Names, committed_ear: Ear, database: Connection
) -> None:
    run_id = start(tenants["acme"], names, 1)
    committed_ear.listen_to(run_id)
    Engine(database).work({"number": 1}, flow="make-invoice")
    assert committed_ear.events(run_id) == []


@pytest.fixture
def committed_ear(tenants: dict[str, Engine]) -> Ear:
    """The other tenant's session, listening."""
    return Ear(tenants["globex"].connection)


def test_a_role_of_pgflow_s_does_not_separate_tenants(
    dsn: str, database: Connection, tenants: dict[str, Engine], names: Names
) -> None:
    # Why the guide gives them none.
    other = start(tenants["globex"], names, 1)
    database.execute(sql.SQL("grant pgflow_client to {}").format(sql.Identifier(names.role("acme"))))
    assert tenants["acme"].rows("select * from pgflow.get_run_with_states(%s)", other)


def test_a_database_each(names: Names, dsn: str, database: Connection, template: Any) -> None:
    _, grants = PAGE.blocks("sql")
    with own_database(template) as others:
        for name, where in (("acme", dsn), ("globex", others)):
            database.execute(sql.SQL("create role {} login").format(sql.Identifier(names.role(name))))
            with psycopg.connect(where, autocommit=True) as connection:
                text = re.sub(r"\bto acme\b", f"to {names.role(name)}", grants.text)
                text = text.replace("database acme", f'database "{connection.info.dbname}"')
                connection.execute(text.encode())
                Engine(connection).define({})
        try:
            for name, own, other in (("acme", dsn, others), ("globex", others, dsn)):
                with FlowClient(make_conninfo(own, user=names.role(name))) as client:
                    assert client.start("flow", 1).result(10) == {}
                # The message is the server's, and PostgreSQL words it by the privilege that lacks.
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    psycopg.connect(make_conninfo(other, user=names.role(name)))
        finally:
            with psycopg.connect(others, autocommit=True) as connection:
                for name in ("acme", "globex"):
                    connection.execute(sql.SQL("drop owned by {}").format(sql.Identifier(names.role(name))))
    assert conninfo_to_dict(dsn)["dbname"] != conninfo_to_dict(others)["dbname"]
