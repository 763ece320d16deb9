"""Runs in Django's admin: to be looked at, and never changed there, for only the engine changes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import dateformat, timezone
from django.utils.functional import cached_property
from django.utils.html import format_html

from pgflow.contrib.django.models import DefinedFlow, Run
from pgflow.contrib.django.run_page import beginning_of, duration, shortened, steps_of

__all__ = ["RunAdmin"]

#: Up to here rows are counted; beyond, the planner is asked, which counts nothing.
_COUNTED = 1_000

_LONGEST_ERROR = 120


class Estimating(Paginator):  # type: ignore[type-arg]
    """Pages of a table of any size: where there are many rows their number is the planner's estimate."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, about."""
        rows: Any = self.object_list
        found: int = rows[: _COUNTED + 1].count()
        return found if found <= _COUNTED else max(found, _estimate(rows))


def _estimate(rows: Any) -> int:
    # The first line is of the whole: `Seq Scan on runs  (cost=0.00..13.50 rows=350 width=16)`.
    whole = rows.order_by().explain().partition("\n")[0]
    return int(whole.rpartition(" rows=")[2].partition(" ")[0])


def _local(time: datetime) -> datetime:
    return timezone.localtime(time) if timezone.is_aware(time) else time


class FlowFilter(SimpleListFilter):
    """By flow. Those that there are stand in a small table of their own."""

    title = "flow"
    parameter_name = "flow"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        """Every flow."""
        slugs = DefinedFlow.objects.order_by("flow_slug").values_list("flow_slug", flat=True)
        return [(slug, slug) for slug in slugs]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The runs of one."""
        slug = self.value()
        return queryset.filter(flow_slug=slug) if slug else queryset


class AgeFilter(SimpleListFilter):
    """By when a run was started."""

    title = "age"
    parameter_name = "age"
    ages: tuple[tuple[str, str, timedelta], ...] = (
        ("hour", "Past hour", timedelta(hours=1)),
        ("day", "Past 24 hours", timedelta(days=1)),
        ("week", "Past 7 days", timedelta(days=7)),
    )

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        """The ages, and what is older than all of them."""
        return [*((name, title) for name, title, _ in self.ages), ("older", "Older")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The runs of an age."""
        now = timezone.now()
        if self.value() == "older":
            return queryset.filter(started_at__lt=now - self.ages[-1][2])
        for name, _, age in self.ages:
            if self.value() == name:
                return queryset.filter(started_at__gte=now - age)
        return queryset


@admin.register(Run)
class RunAdmin(ModelAdmin):  # type: ignore[type-arg]
    """The list of runs, and a page for each with its steps, tasks, attempts and errors."""

    list_display = ("id_of_run", "flow_slug", "state", "began", "took", "error")
    list_display_links = ("id_of_run",)
    list_filter = (FlowFilter, "status", AgeFilter)
    list_per_page = 50
    # Counting and sorting are what a large table is slow at: the order is that of the primary key, and `Estimating`
    # counts no more than the first rows.
    ordering = ("-run_id",)
    sortable_by = ()
    show_full_result_count = False
    paginator = Estimating
    search_fields = ("run_id",)
    search_help_text = "The id of a run, all of it."
    actions = None
    if hasattr(admin, "ShowFacets"):  # since Django 5.0
        show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ["pgflow/admin.css"]}  # noqa: RUF012  as Django reads it

    # What is seen of a run

    @admin.display(description="run")
    def id_of_run(self, run: Any) -> str:
        """The id, which the row is a link by."""
        return str(run.run_id)

    @admin.display(description="status")
    def state(self, run: Any) -> str:
        """The status, in its colour."""
        return format_html('<span class="pgflow-status pgflow-{}">{}</span>', run.status, run.status)

    @admin.display(description="started")
    def began(self, run: Any) -> str:
        """When it was started, to the second."""
        return dateformat.format(_local(run.started_at), "Y-m-d H:i:s")

    @admin.display(description="took")
    def took(self, run: Any) -> str:
        """From its start to its end, or until now."""
        return duration(run.started_at, run.completed_at or run.failed_at)

    @admin.display(description="error")
    def error(self, run: Any) -> str:
        """The beginning of the error."""
        return run.error_begins or ""

    # What is read of it

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The runs, with the beginnings of what may be large in its stead."""
        return (
            super()
            .get_queryset(request)
            .defer("input", "output", "error_message")
            .annotate(error_begins=Left("error_message", _LONGEST_ERROR))
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The run of an id; none where that is no id."""
        if not search_term.strip():
            return queryset, False
        try:
            return queryset.filter(run_id=UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page of a run: no form."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        run = self._find(unquote(object_id))
        if run is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        steps = steps_of(run.run_id, run.flow_slug)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Run of {run.flow_slug}",
            "subtitle": str(run.run_id),
            "opts": self.opts,
            "media": self.media,
            "run": run,
            "took": self.took(run),
            "input": shortened(run.input_begins),
            "output": shortened(run.output_begins),
            "error": shortened(run.error_begins),
            "steps": steps,
            "failed": [step for step in steps if step.status == "failed"],
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/pgflow/run/page.html", context)

    def _find(self, run_id: str) -> Any:
        try:
            key = UUID(run_id)
        except ValueError:
            return None
        beginnings = {f"{name}_begins": beginning_of(name) for name in ("input", "output")}
        runs = Run.objects.defer("input", "output", "error_message")
        return runs.annotate(error_begins=beginning_of("error_message"), **beginnings).filter(run_id=key).first()

    # What nobody may

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: runs are started by programs."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: only the engine changes runs."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: a run has messages in queues, which deleting rows would leave behind."""
        return False
