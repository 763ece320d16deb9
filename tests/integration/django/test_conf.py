"""Which database a project means, and the ways to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings
from psycopg.conninfo import conninfo_to_dict

from pgflow.contrib.django import conf, get_client
from pgflow.contrib.django.apps import check_database


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """``DATABASES["default"]``, for the test to change; its name is the one that the project has."""
    changed: dict[str, Any] = connections.settings["default"]
    for key in changed:
        monkeypatch.setitem(changed, key, changed[key])
    monkeypatch.setitem(changed, "OPTIONS", {})
    return changed


def parts(dsn: str) -> dict[str, Any]:
    return dict(conninfo_to_dict(dsn))


def test_the_way_is_that_of_django_with_password_and_options(settings: dict[str, Any]) -> None:
    settings.update(HOST="db.example", PORT=6543, USER="shop", PASSWORD="it's a \\ secret", NAME="shop")
    settings["OPTIONS"] = {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "service": "shop",
        "isolation_level": 1,
        "server_side_binding": True,
        "prepare_threshold": 3,
    }

    given = parts(conf.django_dsn())

    # Older Djangos leave it to the server.
    assert given.pop("client_encoding", "UTF8") == "UTF8"
    assert given == {
        "host": "db.example",
        "port": "6543",
        "user": "shop",
        "password": "it's a \\ secret",
        "dbname": "shop",
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "service": "shop",
    }


def test_a_service_alone_is_enough(settings: dict[str, Any]) -> None:
    settings.update(HOST="", PORT="", USER="", PASSWORD="", NAME="", OPTIONS={"service": "shop"})

    assert parts(conf.django_dsn()) | {"client_encoding": "UTF8"} == {"service": "shop", "client_encoding": "UTF8"}


def test_a_role_that_django_assumes_is_assumed_by_the_client_too(dsn: str, settings: dict[str, Any]) -> None:
    settings["OPTIONS"] = {"assume_role": "pgflow_migrator"}
    with get_client()._connector._pool.connection() as connection:  # type: ignore[attr-defined]
        assert connection.execute("select current_user::text").fetchone() == ("pgflow_migrator",)


def test_no_message_holds_the_password(settings: dict[str, Any]) -> None:
    settings.update(HOST="127.0.0.1", PORT=1, PASSWORD="geheim", OPTIONS={"connect_timeout": 2})

    assert "geheim" not in repr(get_client())
    with pytest.raises(Exception, match="connection") as raised:
        get_client().start("ship-order", 1)
    assert "geheim" not in str(raised.value)


def test_a_database_that_is_not_postgresql_is_refused() -> None:
    with override_settings(PGFLOW={"DATABASE": "archive"}):
        assert [error.msg for error in check_database()] == [
            "pgflow needs PostgreSQL, and DATABASES['archive'] is SQLite: name another database in PGFLOW['DATABASE']"
        ]
        with pytest.raises(ImproperlyConfigured, match="pgflow needs PostgreSQL"):
            get_client()
        with pytest.raises(CommandError, match="pgflow needs PostgreSQL"):
            call_command("pgflow_migrate", "--status")


def test_a_database_by_way_of_psycopg2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver:
        __name__ = "psycopg2"

    monkeypatch.setattr(connections["default"], "Database", Driver())

    (error,) = check_database()
    assert error.id == "pgflow.E001"
    assert error.msg == (
        "pgflow needs psycopg 3, and DATABASES['default'] uses psycopg2: "
        'install "psycopg[binary]" and take an ENGINE that uses it, such as django.db.backends.postgresql'
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"DATABASE": "nowhere"}, "PGFLOW['DATABASE'] is 'nowhere', and DATABASES has no such database"),
        (
            {"DATABSE": "default"},
            "PGFLOW has no setting 'DATABSE'; it has DATABASE, DSN, LISTEN_DSN, POOL_SIZE, MIGRATE",
        ),
        ({"DSN": "secret of no form="}, "PGFLOW: the DSN is in no form that is understood"),
        ({"DSN": {"PASSWORD": "secret"}}, "PGFLOW: a DSN is a text, and not a dict"),
        ({"POOL_SIZE": 0}, "PGFLOW['POOL_SIZE'] must be a number of connections, 1 or more, and not 0"),
        ("default", "PGFLOW must be a dictionary, and is a str"),
    ],
)
def test_what_cannot_be_meant_is_said_by_the_check(given: Any, message: str) -> None:
    with override_settings(PGFLOW=given):
        (error,) = check_database()
    assert error.msg.startswith(message)
    assert "secret" not in error.msg


def test_a_project_without_the_setting_means_the_default_database() -> None:
    with override_settings():
        from django.conf import settings

        del settings.PGFLOW
        assert conf.configuration() == conf.Configuration()
        assert check_database() == []


def test_other_ways_to_the_database_are_taken_as_they_are() -> None:
    with override_settings(PGFLOW={"DSN": "postgresql://a@pooler/shop", "LISTEN_DSN": "host=direct dbname=shop"}):
        assert conf.dsns_of(conf.configuration()) == ("postgresql://a@pooler/shop", "host=direct dbname=shop")


def test_in_a_test_they_lead_to_the_database_of_the_test(dsn: str) -> None:
    name = parts(dsn)["dbname"]
    with override_settings(PGFLOW={"DSN": "postgresql://a@pooler/shop", "LISTEN_DSN": "host=direct dbname=shop"}):
        way, listening = conf.dsns_of(conf.configuration())

    assert parts(way) == {"host": "pooler", "user": "a", "dbname": name}
    assert listening is not None
    assert parts(listening) == {"host": "direct", "dbname": name}
