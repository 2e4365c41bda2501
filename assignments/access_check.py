"""The admin's Access check page.

For a person and a service, it shows the decision of the tracking rule. For only one of them, it lists the
services that the person can track on, or the people who can track on the service. The user can repair what
the decision refuses, as far as they have permission.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from assignments.access_repairs import REPAIRS, AccessRepair, repairs_of
from assignments.models import ServiceAssignment
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
from productive.admin.days import LocalDayField
from productive.admin.forms import Autocomplete, RecordField, label_of
from productive.admin.operations import BusyError, carry_out, respond
from productive.admin.pages import render_page
from productive.admin.permissions import can_view, visible_rows
from productive.admin.theme import DateInput, Select
from productive.admin.urls import admin_url

# The page lists at most this many rows, and shows how many there are.
MAX_LISTED = 200


def record_field(name: str) -> RecordField:
    """Return an autocomplete field. The form sets its queryset."""
    field = ServiceAssignment._meta.get_field(name)
    return RecordField(None, required=False, widget=Autocomplete(field, admin.site))


class AccessCheckForm(forms.Form):
    person = record_field("person")
    service = record_field("service")
    on = LocalDayField(required=False, widget=DateInput, label="Day")
    kind = forms.ChoiceField(
        choices=[(Kind.TIME, "Track time"), (Kind.EXPENSE, "Log expenses")], required=False, widget=Select
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.GET or None)
        for name, model in (("person", Person), ("service", Service)):
            field: Any = self.fields[name]
            field.queryset = visible_rows(request, model).select_related("organization")

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        person, service = cleaned.get("person"), cleaned.get("service")
        if person and service and person.organization_id != service.organization_id:
            raise ValidationError("The person and the service belong to different organizations.")
        if person or service:
            record: Any = person or service
            organization: Organization = record.organization
            cleaned["on"] = cleaned.get("on") or organization.today()
        cleaned["kind"] = Kind(cleaned.get("kind") or Kind.TIME)
        return cleaned


def access_check(request: HttpRequest) -> HttpResponse:
    """Render the page. Raise PermissionDenied without view permissions."""
    if not can_check_access(request):
        raise PermissionDenied
    form = AccessCheckForm(request)
    result = result_context(request, form.cleaned_data) if form.is_valid() else {}
    if request.method == "POST" and (decision := result.get("decision")):
        return repair(request, decision)
    context = {"title": "Access check", "form": form, **result}
    return render_page(request, "admin/access_check.html", context)


def can_check_access(request: HttpRequest) -> bool:
    """Return whether the user may view people and services."""
    return can_view(request, Person, Service)


def result_context(request: HttpRequest, cleaned: dict[str, Any]) -> dict[str, Any]:
    person, service, kind = cleaned["person"], cleaned["service"], cleaned["kind"]
    if person and service:
        decision = decide(person, service, cleaned["on"], kind)
        repairs = repairs_of(request, decision)
        return {
            "decision": decision,
            "checks": [check_context(request, check, decision, repairs) for check in decision.checks],
            "has_repairs": bool(repairs),
            "ask": [] if decision.allowed else people_to_ask(decision.service),
        }
    if person or service:
        return list_context(request, person or service, cleaned["on"], kind)
    return {}


def list_context(request: HttpRequest, record: Any, on: date, kind: Kind) -> dict[str, Any]:
    """List what a person can track on, or who can track on a service.

    Each row links to the decision.
    """
    verb = "track time" if kind is Kind.TIME else "log expenses"
    found: models.QuerySet[Any]
    if isinstance(record, Person):
        found = with_budget(trackable_by(visible_rows(request, Service), record.pk, on, kind))
        found = found.order_by("deal__name_key", "name_key", "id")
        title, name, other = f"What {label_of(record)} can {verb} on", "person", "service"
    else:
        found = who_may_track(visible_rows(request, Person), [record.pk], on, kind)
        found = found.order_by("name_key", "id")
        title, name, other = f"Who can {verb} on {label_of(record)}", "service", "person"
    params = {key: request.GET[key] for key in ("on", "kind") if key in request.GET}
    rows = [
        {
            "label": label_of(row),
            "url": f"{reverse('access_check')}?{urlencode({name: record.pk, other: row.pk, **params})}",
        }
        for row in found[:MAX_LISTED]
    ]
    number = len(rows) if len(rows) < MAX_LISTED else found.count()
    return {"list_title": title, "rows": rows, "number": number}


def people_to_ask(service: Service) -> list[tuple[str, str]]:
    """Return the label and URL of the people who can decide about the service."""
    people = dict.fromkeys([*([service.person] if service.person else []), *service.deal.people_to_ask()])
    return [(label_of(one), admin_url(Person, "change", one.pk)) for one in people if not one.archived_at]


def check_context(
    request: HttpRequest, check: CheckResult, decision: Decision, repairs: dict[str, str]
) -> dict[str, Any]:
    """Return a check for the template.

    A failed one has a repair or else a link to the page where it can be corrected, if the user has
    permission.
    """
    context = {"outcome": check.outcome, "message": check.reason.message}
    if check.outcome is not Outcome.FAILED:
        return context
    if text := repairs.get(check.reason.code):
        return {**context, "code": check.reason.code, "repair": text}
    record, known = check.reason.record, REPAIRS.get(check.reason.code)
    # A missing assignment has no page.
    if (known is not None and known.chosen) or not can_view(request, type(record)):
        return context
    link, url = f"Open the {record._meta.verbose_name}", admin_url(type(record), "change", record.pk)
    return {**context, "link": link, "url": url}


def repair(request: HttpRequest, decision: Decision) -> HttpResponse:
    """Preview the repairs that the user chose, or make them and show the new decision."""
    chosen = request.POST.getlist("repair")
    codes = [code for code in repairs_of(request, decision) if code in chosen]
    url = request.get_full_path()
    try:
        result = carry_out(request, AccessRepair(request, decision, codes))
    except BusyError as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(url)
    context = {
        "title": "Repair access",
        "intro": f"{decision}.",
        "fields": [("repair", code) for code in chosen],
        "back": url,
        "back_label": "Back to the Access check",
    }
    return respond(request, result, success_url=url, context=context)
