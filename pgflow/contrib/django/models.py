"""The engine's tables as models, for the admin and for queries of your own; only the engine's functions write them.

The tables of steps and tasks have keys of several columns, and these models take the first for theirs: filter by run,
and ask for values. A comparison would take all steps of a run for one.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from pgflow.contrib.django.conf import configuration
from pgflow.models import RunStatus, StepStatus

__all__ = ["DefinedFlow", "DefinedStep", "Run", "StepState", "StepTask"]


class _InTheSchema(models.Manager[Any]):
    """Asks the database that holds the schema, whatever routers the project has."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().using(configuration().database)


def _choices(statuses: type[RunStatus] | type[StepStatus]) -> list[tuple[str, str]]:
    return [(status.value, status.value) for status in statuses]


class _Table(models.Model):
    """A table that Django neither makes nor changes."""

    objects = _InTheSchema()

    class Meta:
        abstract = True
        managed = False
        default_permissions: tuple[str, ...] = ()


class Run(_Table):
    """A run of a flow."""

    run_id = models.UUIDField("run", primary_key=True)
    flow_slug = models.TextField("flow")
    status = models.TextField(choices=_choices(RunStatus))
    input = models.JSONField()
    output = models.JSONField(null=True)
    error_message = models.TextField("error", null=True)
    remaining_steps = models.IntegerField()
    idempotency_key = models.TextField(null=True)
    started_at = models.DateTimeField("started")
    completed_at = models.DateTimeField("completed", null=True)
    failed_at = models.DateTimeField("failed", null=True)

    class Meta(_Table.Meta):
        db_table = '"pgflow"."runs"'
        default_permissions = ("view",)
        # Ids begin with the time, unless the caller has chosen them: the newest first, by the primary key's index.
        ordering = ("-run_id",)

    def __str__(self) -> str:
        return f"{self.flow_slug} {self.run_id}"


class StepState(_Table):
    """A step of a run; its key is the run and the slug."""

    run_id = models.UUIDField(primary_key=True)
    step_slug = models.TextField()
    flow_slug = models.TextField()
    status = models.TextField(choices=_choices(StepStatus))
    initial_tasks = models.IntegerField(null=True)
    remaining_tasks = models.IntegerField(null=True)
    remaining_deps = models.IntegerField()
    output = models.JSONField(null=True)
    error_message = models.TextField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)

    class Meta(_Table.Meta):
        db_table = '"pgflow"."step_states"'


class StepTask(_Table):
    """A task of a step; its key is the run, the step and the index."""

    run_id = models.UUIDField(primary_key=True)
    step_slug = models.TextField()
    task_index = models.IntegerField()
    flow_slug = models.TextField()
    status = models.TextField()
    attempts_count = models.IntegerField()
    error_message = models.TextField(null=True)
    traceback = models.TextField(null=True)
    output = models.JSONField(null=True)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    last_worker_id = models.UUIDField(null=True)

    class Meta(_Table.Meta):
        db_table = '"pgflow"."step_tasks"'


class DefinedFlow(_Table):
    """A flow that the database knows."""

    flow_slug = models.TextField(primary_key=True)

    class Meta(_Table.Meta):
        db_table = '"pgflow"."flows"'


class DefinedStep(_Table):
    """A step of such a flow; its key is the flow and the slug."""

    flow_slug = models.TextField(primary_key=True)
    step_slug = models.TextField()
    step_index = models.IntegerField()
    step_type = models.TextField()

    class Meta(_Table.Meta):
        db_table = '"pgflow"."steps"'
