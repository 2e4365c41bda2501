"""Inlines of assignments."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from productive.accounts.owned import Archivable
from productive.admin.forms import label_of
from productive.admin.inlines import PairInline


class StatusInline(PairInline):
    """An inline of pairs that shows whether the other record is archived."""

    other: str
    readonly_fields = ["status"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(self.other)

    def status(self, line: Any) -> str:
        if not getattr(line, f"{self.other}_id"):
            return ""
        record: Archivable = getattr(line, self.other)
        return str(record.moment.word(record)).capitalize()


class PersonInline(StatusInline):
    """Assign people to a service, project or service type."""

    other = "person"
    fields = ["person", "email", "status"]
    readonly_fields = ["email", "status"]
    autocomplete_fields = ["person"]
    ordering = ["person__name_key", "id"]

    def email(self, line: Any) -> str:
        return (line.person.email or "") if line.person_id else ""


class AssigneesOfService(PersonInline):
    model = ServiceAssignment
    verbose_name = "assignee"


class AssigneesOfServiceType(PersonInline):
    model = ServiceTypeAssignment
    verbose_name = "assignee"


class MembersOfProject(PersonInline):
    model = ProjectAssignment
    verbose_name = "member"
    fields = ["person", "email", "status", "watched"]
    fields_per_line = 4


class ProjectsOfPerson(StatusInline):
    model = ProjectAssignment
    other = "project"
    verbose_name = "project"
    fields = ["project", "number", "status"]
    readonly_fields = ["number", "status"]
    autocomplete_fields = ["project"]
    ordering = ["project__name_key", "id"]

    def number(self, line: Any) -> str:
        return (line.project.project_number or "") if line.project_id else ""


class ServicesOfPerson(PairInline):
    model = ServiceAssignment
    verbose_name = "service"
    fields = ["service", "budget", "project"]
    readonly_fields = ["budget", "project"]
    autocomplete_fields = ["service"]
    ordering = ["service__name_key", "service__deal__name_key", "id"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("service__deal__project")

    def budget(self, line: ServiceAssignment) -> str:
        if not line.service_id:
            return ""
        deal = line.service.deal
        return f"{deal} (closed)" if deal.closed_at else str(deal)

    def project(self, line: ServiceAssignment) -> str:
        return label_of(line.service.deal.project) if line.service_id else ""


class ServiceTypesOfPerson(StatusInline):
    model = ServiceTypeAssignment
    other = "service_type"
    verbose_name = "service type"
    fields = ["service_type", "status"]
    autocomplete_fields = ["service_type"]
    ordering = ["service_type__name_key", "id"]
