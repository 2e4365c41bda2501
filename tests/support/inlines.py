"""Fill in the lines of inlines in the admin."""

from __future__ import annotations

from typing import Any

from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service
from productive.accounts.models import Organization, Person
from tests.support.admin import form_data, save


def prefix_of(model: type[Any]) -> str:
    return {
        ServiceAssignment: "service_assignments",
        ProjectAssignment: "project_assignments",
        ServiceTypeAssignment: "service_type_assignments",
        Service: "services",
    }[model]


def post_lines(client: Client, address: str, model: type[Any], *lines: dict[str, Any], **data: Any) -> Any:
    """Submit the form at this address with additional lines."""
    sent, prefix = form_data(client, address) | data, prefix_of(model)
    first = int(sent[f"{prefix}-INITIAL_FORMS"])
    for index, line in enumerate(lines, start=first):
        sent |= {f"{prefix}-{index}-{name}": value for name, value in line.items()}
    sent[f"{prefix}-TOTAL_FORMS"] = first + len(lines)
    return save(client, address, sent)


def line_errors(response: Any) -> list[dict[str, list[str]]]:
    return [
        dict(form.errors)
        for inline in response.context["inline_admin_formsets"]
        for form in inline.formset.forms
        if form.errors
    ]


def many_people(organization: Organization, number: int) -> list[Person]:
    return Person.objects.bulk_create(
        Person(organization=organization, first_name=f"P{n:04}", last_name="Q") for n in range(number)
    )
