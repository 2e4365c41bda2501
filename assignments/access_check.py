"""The admin's Access check page: may this person track here, and why not; or all of one side."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import (
    CheckResult,
    Decision,
    Kind,
    Outcome,
    decide,
    trackable_by,
    who_may_track,
    with_budget,
)
from catalog.models import Service
from productive.accounts.models import Organization, Person
from productive.admin.forms import Autocomplete, RecordField, label_of
from productive.admin.theme import DateInput, Select

# Longer answers are cut; the page says how many there are.
MOST_LISTED = 200

# What is missing where these fail → the record that would mend it, made of the pair.
MISSING: dict[str, tuple[type[Any], str]] = {
    "not_project_member": (ProjectAssignment, "Add {person} to the project"),
    "not_assigned": (ServiceAssignment, "Assign {person} to the service"),
    "service_type_not_assigned": (ServiceTypeAssignment, "Give {person} the service type"),
}


def record_field(name: str) -> RecordField:
    """A choice among the records that the user finds in their admin; the form says which these are."""
    field = ServiceAssignment._meta.get_field(name)
    return RecordField(None, required=False, widget=Autocomplete(field, admin.site))


class AccessCheckForm(forms.Form):
    person = record_field("person")
    service = record_field("service")
    on = forms.DateField(required=False, widget=DateInput, label="Day")
    kind = forms.ChoiceField(
        choices=[(Kind.TIME, "Track time"), (Kind.EXPENSE, "Log expenses")], required=False, widget=Select
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.GET or None)
        for name, model in (("person", Person), ("service", Service)):
            field: Any = self.fields[name]
            field.queryset = own(request, model).select_related("organization")

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        person, service = given.get("person"), given.get("service")
        if person and service and person.organization_id != service.organization_id:
            raise ValidationError("They belong to different organizations.")
        if person or service:
            record: Any = person or service
            organization: Organization = record.organization
            given["on"] = given.get("on") or organization.today()
        given["kind"] = Kind(given.get("kind") or Kind.TIME)
        return given


def access_check(request: HttpRequest) -> HttpResponse:
    """Answer for one person on one service; with one of them left out, list who or what there is."""
    if not may_check(request):
        raise PermissionDenied
    form = AccessCheckForm(request)
    answer = answer_for(request, form.cleaned_data) if form.is_valid() else {}
    context = {**admin.site.each_context(request), "title": "Access check", "form": form, **answer}
    return TemplateResponse(request, "admin/access_check.html", context)


def may_check(request: HttpRequest) -> bool:
    """Whether the user sees people and services at all."""
    return all(admin.site.get_model_admin(m).has_view_permission(request) for m in (Person, Service))


def answer_for(request: HttpRequest, asked: dict[str, Any]) -> dict[str, Any]:
    person, service, kind = asked["person"], asked["service"], asked["kind"]
    if person and service:
        decision = decide(person, service, asked["on"], kind)
        return {
            "decision": decision,
            "checks": [shown(request, check, decision) for check in decision.checks],
        }
    if person or service:
        return list_for(request, person or service, asked["on"], kind)
    return {}


def list_for(request: HttpRequest, record: Any, on: date, kind: Kind) -> dict[str, Any]:
    """What the person can track on, or who can track on the service: each with a link to its own answer."""
    verb = "track time" if kind is Kind.TIME else "log expenses"
    found: models.QuerySet[Any]
    if isinstance(record, Person):
        found = with_budget(trackable_by(own(request, Service), record.pk, on, kind))
        found = found.order_by("deal__name", "name", "id")
        title, asked, other = f"What {record} can {verb} on", "person", "service"
    else:
        found = who_may_track(own(request, Person), [record.pk], on, kind)
        found = found.order_by("first_name", "last_name", "id")
        title, asked, other = f"Who can {verb} on {label_of(record)}", "service", "person"
    kept = {key: request.GET[key] for key in ("on", "kind") if key in request.GET}
    rows = [
        {
            "label": label_of(row),
            "url": f"{reverse('access_check')}?{urlencode({asked: record.pk, other: row.pk, **kept})}",
        }
        for row in found[:MOST_LISTED]
    ]
    number = len(rows) if len(rows) < MOST_LISTED else found.count()
    return {"list_title": title, "rows": rows, "number": number}


def own(request: HttpRequest, model: type[models.Model]) -> Any:
    return admin.site.get_model_admin(model).get_queryset(request)


def shown(request: HttpRequest, check: CheckResult, decision: Decision) -> dict[str, Any]:
    """A line of the rule; where it failed, with the link that would mend it, for those who may."""
    line = {"outcome": check.outcome, "message": check.reason.message}
    if check.outcome is not Outcome.FAILED:
        return line
    if check.reason.code in MISSING:
        model, text = MISSING[check.reason.code]
        if not admin.site.get_model_admin(model).has_add_permission(request):
            return line
        pair = {
            "person": decision.person.pk,
            "project": decision.service.deal.project_id,
            "service": decision.service.pk,
            "service_type": decision.service.service_type_id,
            "organization": decision.person.organization_id,
        }
        fields = {field.name for field in model._meta.concrete_fields}
        query = urlencode({name: pk for name, pk in pair.items() if name in fields})
        url = f"{page_of(model, 'add')}?{query}"
        return {**line, "mend": text.format(person=decision.person), "url": url}
    about = check.reason.record
    if not admin.site.get_model_admin(type(about)).has_view_permission(request):
        return line
    return {
        **line,
        "mend": f"Open the {about._meta.verbose_name}",
        "url": page_of(type(about), "change", about.pk),
    }


def page_of(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)
