"""The application as Django loads it."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from pgflow.contrib.django import conf
from pgflow.contrib.django.client import leave_test_database
from pgflow.contrib.django.migrating import install_schema

__all__ = ["PgflowConfig", "check_database"]


class PgflowConfig(AppConfig):
    """Durable workflows in the project's PostgreSQL."""

    name = "pgflow.contrib.django"
    label = "pgflow"
    verbose_name = "pgflow"

    def ready(self) -> None:
        """Connect the receivers; opens nothing."""
        conf.remember_databases()
        register(check_database)
        connection_created.connect(leave_test_database, dispatch_uid="pgflow")
        post_migrate.connect(install_schema, sender=self, dispatch_uid="pgflow")


def check_database(**kwargs: Any) -> list[CheckMessage]:
    """Say, with ``manage.py check`` and before every other command, what would keep pgflow from working."""
    try:
        conf.dsns_of(conf.configuration())
    except ImproperlyConfigured as error:
        return [Error(str(error), id="pgflow.E001")]
    return []
