from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from pgflow.connector import PsycopgConnector
from pgflow.dsn import redacted, resolve
from pgflow.errors import DsnError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGFLOW_DSN", raising=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgresql://u:p@h:5433/d", {"user": "u", "password": "p", "host": "h", "port": "5433", "dbname": "d"}),
        ("postgres://h/d", {"host": "h", "dbname": "d"}),
        ("postgresql+psycopg://u:p%40ss@h/d", {"user": "u", "password": "p@ss", "host": "h", "dbname": "d"}),
        ("postgresql+psycopg2:///d?host=/run/pg", {"dbname": "d", "host": "/run/pg"}),
        ("host=/run/pg dbname=d", {"host": "/run/pg", "dbname": "d"}),
        ("/run/my sockets", {"host": "/run/my sockets"}),
        (" postgresql://h/d\n", {"host": "h", "dbname": "d"}),
    ],
)
def test_takes_every_form_of_a_dsn(given: str, expected: dict[str, str]) -> None:
    assert conninfo_to_dict(resolve(given)) == expected


def test_takes_a_sqlalchemy_url_with_its_password() -> None:
    url = make_url("postgresql+psycopg://u:p%40ss@h/d")

    assert conninfo_to_dict(resolve(url))["password"] == "p@ss"


def test_none_is_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFLOW_DSN", "postgresql://from/environment")

    assert resolve() == "postgresql://from/environment"
    assert resolve("postgresql://given/one") == "postgresql://given/one"


@pytest.mark.parametrize("given", [None, ""])
def test_no_dsn_at_all_says_how_to_name_one(given: str | None) -> None:
    with pytest.raises(DsnError, match="PGFLOW_DSN"):
        resolve(given)


@pytest.mark.parametrize("given", ["mysql://u:secret@h/d", "host=h password = 'secret", "secret", "h?secret=1"])
def test_what_is_no_dsn_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(DsnError) as caught:
        resolve(given)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_what_is_shown_of_a_dsn_has_no_secret() -> None:
    shown = redacted("postgresql://u:secret@h:5433/d?sslpassword=secret&application_name=secret")

    assert conninfo_to_dict(shown) == {"user": "u", "host": "h", "port": "5433", "dbname": "d"}


def test_a_connector_shows_no_secret() -> None:
    connector = PsycopgConnector("postgresql://u:secret@h/d", listen_dsn="postgresql://u:secret@h/e")

    assert "dbname=d" in repr(connector)
    assert "secret" not in repr(connector)
