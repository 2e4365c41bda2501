"""Inlines of projects, budgets and services."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Prefetch
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html

from assignments.models import ServiceAssignment
from assignments.state_badges import state_badge
from assignments.tracking_today import OpenTo, states_of_services
from catalog.models import Deal, Project, Service
from productive.accounts.models import Person
from productive.admin.columns import LINK
from productive.admin.forms import RecordsField, label_of
from productive.admin.inlines import MAX_FIELDS, LineForm, LineInline, set_chosen
from productive.admin.permissions import can_view, visible_rows
from productive.admin.urls import admin_url

# Services of a budget on the project's page.
SERVICES_SHOWN = 20


class ReadOnlyInline(LineInline):
    """Show records that link to their own pages."""

    readonly_fields = ["link"]
    fields_per_line = 2
    ordering = ["name_key", "id"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


class ProjectsOfCompany(ReadOnlyInline):
    model = Project
    readonly_fields = ["link", "project_number", "project_manager", "status"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("project_manager")

    @admin.display(description="Project")
    def link(self, project: Project) -> str:
        return format_html(LINK, admin_url(Project, "change", project.pk), project)

    def status(self, project: Project) -> str:
        return project.moment.word(project).capitalize()


class BudgetsOfProject(ReadOnlyInline):
    """Show the budgets of a project and who can track on their services; read-only."""

    model = Deal
    readonly_fields = ["link", "date", "end_date", "state", "services"]
    found: dict[int, list[tuple[Service, str]]] | None = None

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        has_services = can_view(request, Service)
        return [name for name in self.readonly_fields if has_services or name != "services"]

    @admin.display(description="Budget")
    def link(self, deal: Deal) -> str:
        return format_html(LINK, admin_url(Deal, "change", deal.pk), deal)

    def state(self, deal: Deal) -> str:
        return deal.moment.word(deal).capitalize()

    @admin.display(description="Services")
    def services(self, deal: Deal) -> str:
        services = self.services_by_deal(deal.project_id).get(deal.pk, [])
        shown = services[:SERVICES_SHOWN]
        return render_to_string(
            "admin/service_states.html",
            {
                "rows": [
                    (service, admin_url(Service, "change", service.pk), badge) for service, badge in shown
                ],
                "more": len(services) - len(shown),
                "list_url": f"{admin_url(Service, 'changelist')}?deal={deal.pk}",
            },
        )

    def services_by_deal(self, project_id: int) -> dict[int, list[tuple[Service, str]]]:
        """Return the services of the project's budgets, with their badges.

        They are read once, and if at least one budget is shown. The inline exists for one request.
        """
        if self.found is None:
            self.found = defaultdict(list)
            services = Service.objects.filter(deal__project=project_id).select_related("deal")
            services = services.order_by("name_key", "id")
            states = states_of_services([service.pk for service in services])
            for service in services:
                badge = state_badge(service, states.get(service.pk))
                self.found[service.deal_id].append((service, badge))
        return self.found


def assignees_field(people: Any) -> RecordsField:
    relation = ServiceAssignment.person.field
    return RecordsField(people, relation=relation, max_choices=MAX_FIELDS, required=False)


class ServiceLineForm(LineForm):
    """A form for a service of a budget and the people who are assigned to it.

    Only assignments that were added or removed are written.
    """

    assignees = assignees_field(Person.objects.none())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            people = [assignment.person for assignment in self.instance.service_assignments.all()]
            self.initial["assignees"] = [str(person.pk) for person in people]
            set_chosen(self.fields["assignees"], people)
            set_chosen(self.fields["service_type"], [self.instance.service_type])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.added: list[Person] = []
        self.removed: set[int] = set()
        if not self.fields["assignees"].disabled:
            self.compare_assignees()
        return cleaned

    def compare_assignees(self) -> None:
        """Set `added` and `removed`, and add the errors of new assignments to the field."""
        selected = {person.pk: person for person in self.cleaned_data.get("assignees", ())}
        current = {int(pk) for pk in self.initial.get("assignees", ())}
        self.added = [person for pk, person in selected.items() if pk not in current]
        self.removed = current - selected.keys()
        for person in self.added:
            try:
                self.assignment_of(person).validate_constraints()
            except ValidationError as error:
                self.add_error("assignees", [f"{label_of(person)}: {message}" for message in error.messages])

    def assignment_of(self, person: Person) -> ServiceAssignment:
        organization = self.instance.organization_id
        return ServiceAssignment(organization_id=organization, service=self.instance, person=person)

    def save(self, commit: bool = True) -> Service:
        service: Service = super().save(commit)
        for person in self.added:
            self.assignment_of(person).save()
        for assignment in ServiceAssignment.objects.filter(service=service, person__in=self.removed):
            assignment.delete()
        return service


class ServicesOfBudget(LineInline):
    """Edit the services of a budget and their assignees.

    Services are deleted on their own pages.
    """

    model = Service
    form = ServiceLineForm
    fields = ["name", "open_to", "service_type", "time_tracking_enabled", "expense_tracking_enabled"]
    readonly_fields = ["open_to"]
    autocomplete_fields = ["service_type"]
    ordering = ["name_key", "id"]
    can_delete = False
    # Read when the first badge is shown. The inline exists for one request.
    states: dict[int, OpenTo] | None = None
    fields_per_line = 7

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        if not can_view(request, ServiceAssignment):
            return [*fields]
        # Users open the page mostly for the assignees, so these come early.
        return [*fields[:3], "assignees", *fields[3:]]

    def open_to(self, service: Service) -> str:
        if service.pk is None:
            return ""
        if self.states is None:
            self.states = states_of_services([*self.lines_of(service.deal).values_list("pk", flat=True)])
        return state_badge(service, self.states.get(service.pk))

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        assignments = admin.site.get_model_admin(ServiceAssignment)
        field = formset.form.base_fields["assignees"] = assignees_field(visible_rows(request, Person))
        # These columns have the longest values.
        field.widget.attrs["style"] = "min-width: 18rem"
        if "name" in formset.form.base_fields:
            formset.form.base_fields["name"].widget.attrs["style"] = "min-width: 10rem"
            formset.form.base_fields["time_tracking_enabled"].label = "Time"
            formset.form.base_fields["expense_tracking_enabled"].label = "Expenses"
        field.disabled = not (
            assignments.has_add_permission(request) and assignments.has_delete_permission(request)
        )
        return formset

    def get_queryset(self, request: HttpRequest) -> Any:
        assignments = ServiceAssignment.objects.select_related("person").order_by("person__name_key", "id")
        lines = super().get_queryset(request).select_related("service_type", "deal")
        return lines.prefetch_related(Prefetch("service_assignments", assignments))

    def count_fields(self, lines: Any) -> int:
        return super().count_fields(lines) + ServiceAssignment.objects.filter(service__in=lines).count()
